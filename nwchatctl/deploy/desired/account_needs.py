"""What a chat needs of its AWS account, compared with the account's limits. Pure.

Sources: Lambda developer guide, "Lambda quotas" (new accounts have less) and "Configuring reserved
concurrency"; API Gateway developer guide, quotas of an account and Region.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.model.functions import Function
from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    from nwchatctl.config import Settings

RUN_SECONDS = 0.1
"""How long a function of the chat runs for one request: a message to a small room, with a stored row and its
posts, or a page of history. Requests a second times this are the functions that run at once."""

UNRESERVED = 100
"""Executions that AWS keeps for functions without reserved concurrency; all of them in a smaller account."""

FULL_CONCURRENCY = 1_000
"""The executions at once of an account without reduced quotas."""

REDUCED_MEMORY_MB = 3_008
"""The largest memory of a function in an account with reduced quotas; GetAccountSettings does not show it."""

ACCOUNT_RATE = 10_000
"""Requests a second that API Gateway takes from an account in most Regions."""

NEWER_REGIONS = frozenset(
    {
        *("af-south-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7"),
        *("ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1"),
        "mx-central-1",
    }
)
NEWER_RATE = 2_500
"""The requests a second in `NEWER_REGIONS`. The bucket is half of the rate everywhere."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Lambda's limits of the account in its Region: executions at once, and how many of those no function has
    reserved."""

    concurrent: int
    unreserved: int


def needed_concurrency(settings: Settings) -> int:
    """The executions at once that the settings allow clients to cause, without what fanout has reserved."""
    rate = settings.stage.throttle_rate
    if settings.history.enabled:
        rate += settings.history.request_rate
    shares = 0 if reserved_by(settings) else 1
    return math.ceil(rate * RUN_SECONDS) + shares


def reserved_by(settings: Settings) -> int:
    """The executions that the settings reserve for fanout, 0 for none."""
    wanted = settings.fanout.reserved_concurrency
    return wanted if isinstance(wanted, int) else 0


def account_warnings(
    settings: Settings, region: str, limits: AccountLimits | None, reserved: int
) -> tuple[str, ...]:
    """What the settings need beyond the account's limits, as texts for the operator; `limits` is None if they
    may not be read, and `reserved` is what fanout has reserved now."""
    if limits is None:
        lambda_warnings = [
            "the account's limits for functions are unknown: lambda:GetAccountSettings is not allowed; "
            "`nwchatctl policy deploy` and `policy run` print it"
        ]
    else:
        lambda_warnings = [*_concurrency(settings, limits, reserved), *_memory(settings, limits)]
    return (*lambda_warnings, *_request_rates(settings, region))


def refuse_reservation(settings: Settings, limits: AccountLimits | None, reserved: int) -> None:
    """Raises ChatError `quota`, exit 3, if AWS would refuse the settings' reserved concurrency."""
    wanted = reserved_by(settings)
    if limits is None or wanted <= reserved:
        return
    least = min(UNRESERVED, limits.concurrent)
    most = max(limits.unreserved + reserved - least, 0)
    if wanted > most:
        raise ChatError(
            f"fanout.reserved_concurrency is {wanted}, and this account can reserve {most}: of its "
            f"{limits.concurrent} concurrent executions, AWS keeps {least} unreserved",
            hint='set fanout.reserved_concurrency to less, or to "", or request a higher quota '
            '"Concurrent executions" of Lambda in Service Quotas',
            code="quota",
            exit_code=Exit.CONFIG,
        )


def kept_reservations(wanted: Iterable[Function], settings: Settings) -> tuple[str, ...]:
    """Texts about the reserved concurrency of functions that was set by hand and that a deploy keeps."""
    by_settings = reserved_by(settings)
    return tuple(
        f"function {each.name} has a reserved concurrency of {each.reserved_concurrency} without a setting: "
        f"it is kept{', and the function does not run' if each.reserved_concurrency == 0 else ''}"
        for each in wanted
        if each.reserved_concurrency is not None
        and not (by_settings and each.handler == "nwchat.fanout.handler")
    )


def kept_networks(wanted: Iterable[Function], settings: Settings) -> tuple[str, ...]:
    """Texts about functions whose VPC was set by hand and which a deploy keeps in it."""
    if settings.functions.subnets:
        return ()
    return tuple(
        f"function {each.name} runs in a VPC ({', '.join(each.subnets)}) without a setting: it is kept"
        for each in wanted
        if each.subnets
    )


def _concurrency(settings: Settings, limits: AccountLimits, reserved: int) -> list[str]:
    need, have = needed_concurrency(settings), limits.unreserved + reserved - reserved_by(settings)
    if have >= need:
        return []
    return [
        f"this account runs {have} functions at once, and these settings may need {need}; beyond that, "
        'clients receive "Internal server error": request a higher quota "Concurrent executions" of Lambda '
        "in Service Quotas, or lower stage.throttle_rate and history.request_rate"
    ]


def _memory(settings: Settings, limits: AccountLimits) -> list[str]:
    sizes = {
        "functions.memory_mb": settings.functions.memory_mb,
        "fanout.memory_mb": settings.fanout.memory_mb,
    }
    if limits.concurrent >= FULL_CONCURRENCY:
        return []
    return [
        f"{name} is {size}, and an account with reduced quotas, as this one, may allow {REDUCED_MEMORY_MB} MB"
        for name, size in sizes.items()
        if size > REDUCED_MEMORY_MB
    ]


def _request_rates(settings: Settings, region: str) -> list[str]:
    stage, stated = settings.stage, settings.sending.account_rate
    found, limit = [], stated
    if region in NEWER_REGIONS and stated == ACCOUNT_RATE:
        limit = NEWER_RATE
        found.append(
            f"sending.account_rate is {stated}, and API Gateway takes {limit} requests a second from an "
            f"account in {region}: set it to {limit}, and sending.reserve_rate to less"
        )
    if stage.throttle_rate > limit:
        rate = f"{stage.throttle_rate:g}"
        found.append(f"stage.throttle_rate is {rate}, and the account takes {limit} requests a second")
    if stage.throttle_burst > limit / 2:
        burst = stage.throttle_burst
        found.append(f"stage.throttle_burst is {burst}, and the account takes {limit // 2} requests at once")
    return found
