"""Finds the chats of this tool in an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.tagged_resources import DENIED, FAILED, RegionRead, read_regions, tagging_regions
from nwchatctl.deploy.account_chats import AccountChat, chats_of
from nwchatctl.deploy.names import MANAGED_TAG
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.planning import Planned


@dataclass(frozen=True, slots=True)
class FoundChats:
    """The chats of `account`, by name and Region. `skipped` are the Regions without an answer, and why."""

    account: str
    chats: tuple[AccountChat, ...]
    skipped: tuple[tuple[str, str], ...]

    def regions(self, reason: str) -> list[str]:
        """The Regions that were skipped for `reason`."""
        return [region for region, why in self.skipped if why == reason]


def find_chats(app: App, only_region: str | None) -> FoundChats:
    """The chats of the account, in all Regions or in one.

    Raises the errors of `Adapters.caller`, and that of a Region if no Region answers.
    """
    location = app.cloud.location
    regions = [only_region] if only_region else tagging_regions(app.aws, location.partition)
    reads = read_regions(app.aws, regions, dict([MANAGED_TAG]))
    if all(each.problem for each in reads):
        raise _worst(reads)
    chats = [chat for each in reads for chat in chats_of(each.region, each.resources)]
    return FoundChats(
        location.account,
        tuple(sorted(chats, key=lambda each: (each.name, each.region))),
        tuple((each.region, each.problem) for each in reads if each.problem),
    )


def new_chat_lines(app: App, found: Planned, *, json: bool) -> list[Line]:
    """A line with the other chats in this Region, before a new chat is built: it may be a renamed one. None
    with `json`, and where chats may not be listed."""
    others = () if json or found.live.is_partly_deployed else _other_chats(app)
    if not others:
        return []
    region = app.cloud.location.region
    return [Line(f"{app.settings.chat.name} is new; other chats in {region}: {', '.join(others)}", Mark.WARN)]


def _other_chats(app: App) -> tuple[str, ...]:
    """The names of the other chats in this Region. One call."""
    (read,) = read_regions(app.aws, [app.cloud.location.region], dict([MANAGED_TAG]))
    names = (each.name for each in chats_of(read.region, read.resources))
    return tuple(each for each in names if each != app.settings.chat.name)


def _worst(reads: list[RegionRead]) -> Exception:
    """The error to report where no Region answered."""
    order = (DENIED, FAILED)
    errors = sorted(
        (each for each in reads if each.error is not None),
        key=lambda each: order.index(each.problem) if each.problem in order else len(order),
    )
    error = errors[0].error
    assert error is not None
    return to_chat_error(error) or error
