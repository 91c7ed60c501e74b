"""The values of the IAM policies for one chat: where it is, what its settings name, and what is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.core.partitions import default_region, partition_of
from nwchatctl.config.aws_environment import environment_region
from nwchatctl.errors import ChatError, Exit
from nwchatctl.iam_templates import MANAGED_POLICY_CHARS, PolicyValues, compact

if TYPE_CHECKING:
    from nwchatctl.context import App

_NO_ZONE = "none"


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What the command line gives; "" and () for what is to be found."""

    partition: str = ""
    account: str = ""
    apis: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


def policy_values(app: App, given: PolicyOptions) -> PolicyValues:
    """The values of a policy. AWS is asked only for the account, and only where it is not given.

    Raises as `default_region`, `partition_of` and `App.cloud`.
    """
    region = _region(app) if given.account else app.cloud.location.region
    account = given.account or app.cloud.location.account
    boundary = app.settings.functions.permissions_boundary
    return PolicyValues(
        partition=given.partition or partition_of(region),
        region=region,
        account=account,
        chat=app.settings.chat.name,
        boundary="" if boundary == "none" else boundary,
        apis=given.apis or ("*",),
        domains=tuple(name for name, _ in _domains(app)),
        zones=given.zones or tuple(sorted({zone for _, zone in _domains(app)} - {"", _NO_ZONE})),
        tables=given.tables,
        functions=given.functions,
    )


def require_domains(app: App, values: PolicyValues) -> None:
    """Raises ChatError `no_domain` where the chat has no name of its own, and `zone_unknown` where it is not
    known which hosted zone its records belong to."""
    if not values.domains:
        raise ChatError(
            "the chat has no name of its own, so there is nothing for a policy to allow",
            hint="set domain.name or history.domain in nwchat.toml",
            code="no_domain",
            exit_code=Exit.CONFIG,
        )
    if not values.zones and any(zone != _NO_ZONE for _, zone in _domains(app)):
        raise ChatError(
            "it is not known which hosted zones the policy should be limited to",
            hint="give --zone ID (`aws route53 list-hosted-zones` lists them), or set domain.zone_id",
            code="zone_unknown",
            exit_code=Exit.CONFIG,
        )


def refuse_large_policy(document: Mapping[str, Any]) -> None:
    """Raises ChatError `policy_too_large` for a policy that IAM would refuse as a managed one."""
    size = len(compact(document))
    if size > MANAGED_POLICY_CHARS:
        raise ChatError(
            f"the policy would have {size} characters, and IAM takes {MANAGED_POLICY_CHARS}",
            hint="name fewer APIs, hosted zones, tables or functions, and print a policy for each part",
            code="policy_too_large",
        )


def _domains(app: App) -> list[tuple[str, str]]:
    """The chat's names, each with the hosted zone of its settings."""
    chat, history = app.settings.domain, app.settings.history
    named = [(chat.name, chat.zone_id), (history.domain, history.zone_id)]
    return [(name, zone) for name, zone in named if name]


def _region(app: App) -> str:
    configured = app.settings.aws
    return configured.region or default_region(environment_region(app.environ), configured.profile)
