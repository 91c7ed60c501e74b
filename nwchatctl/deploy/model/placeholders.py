"""Placeholders for values that AWS assigns at creation and that other resources need.

AWS's own ids (of the API, of integrations and routes) are not part of the model, with these exceptions: the
ids of the APIs are part of ARNs and of the address that functions post to, and the id of a role shows whether
a function was configured for it. Before an API exists its id is the
placeholder `API_ID` or `HISTORY_API_ID`, which `with_api_id` replaces; `nwchatctl.aws.applier` replaces those
of domains, and `nwchatctl.aws.awslambda.functions` that of roles.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.deploy.model.state import Resource

API_ID = "{api-id}"
"""The placeholder of the API's id. No id, ARN or address of AWS has braces."""

HISTORY_API_ID = "{history-api-id}"
"""The placeholder of the history API's id."""

ROLE_ID = "{role-id}"
"""In a `Function`: the placeholder of IAM's id of its role, which differs for a role that was deleted and
created again. Adapters put it into descriptions that they read, and replace it in those that they write."""

CERTIFICATE_ARN = "{certificate-arn}"
"""In a `Domain`: the placeholder of the ARN of the chat's certificate for that name."""

DOMAIN_TARGET, DOMAIN_ZONE = "{domain-target}", "{domain-zone}"
"""In a `DnsRecord`: the placeholders of the domain's alias target and its zone."""


def with_api_id(resource: Resource, api_id: str, history_id: str = HISTORY_API_ID) -> Resource:
    """`resource` with the placeholders `API_ID` and `HISTORY_API_ID` replaced in all texts."""

    def replace(value: object) -> object:
        if isinstance(value, str):
            return value.replace(API_ID, api_id).replace(HISTORY_API_ID, history_id)
        if isinstance(value, tuple):
            return tuple(replace(each) for each in value)
        return value

    changed = {field.name: replace(getattr(resource, field.name)) for field in dataclasses.fields(resource)}
    return dataclasses.replace(resource, **changed)  # type: ignore[arg-type]
