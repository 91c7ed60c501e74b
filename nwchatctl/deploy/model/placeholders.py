"""What AWS gives a thing only when it is made, and other things need. Until then a token stands for it.

AWS's own ids (of the API, of integrations and routes) never enter the model, but for two: the ids of the APIs
are part of ARNs and of the address that functions post to. Before an API exists its id is the token `API_ID`
or `HISTORY_API_ID`, which `with_api_id` fills in; `nwchatctl.aws.applier` fills in those of the chat's names.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.deploy.model.state import Resource

API_ID = "{api-id}"
"""Stands for the API's id until AWS has given one. Braces are in no id, ARN or address of AWS's."""

HISTORY_API_ID = "{history-api-id}"
"""The same for the history API."""

CERTIFICATE_ARN = "{certificate-arn}"
"""In a `Domain`: the ARN of our certificate of that name, until ACM has given one."""

DOMAIN_TARGET, DOMAIN_ZONE = "{domain-target}", "{domain-zone}"
"""In a `Record`: where API Gateway answers for that domain, until it has said so."""


def with_api_id(resource: Resource, api_id: str, history_id: str = HISTORY_API_ID) -> Resource:
    """`resource` with the tokens `API_ID` and `HISTORY_API_ID` replaced in every text."""

    def replace(value: object) -> object:
        if isinstance(value, str):
            return value.replace(API_ID, api_id).replace(HISTORY_API_ID, history_id)
        if isinstance(value, tuple):
            return tuple(replace(each) for each in value)
        return value

    changed = {field.name: replace(getattr(resource, field.name)) for field in dataclasses.fields(resource)}
    return dataclasses.replace(resource, **changed)  # type: ignore[arg-type]
