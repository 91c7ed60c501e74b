"""What the commands about bans share: options, targets and ends."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from nwchatctl.chat import bans
from nwchatctl.chat.bans import BanEnd
from nwchatctl.commands.options import When
from nwchatctl.errors import ChatError, usage_error

UsersOption = Annotated[
    list[str] | None,
    typer.Option("--user", metavar="ID", help="This sender_id or name; can be given several times."),
]


AddressesOption = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="IP", help="This address, or a /64 of IPv6; several times too."),
]


def no_target(command: str, more: str) -> ChatError:
    """The error of a command without a target."""
    return usage_error(f"{command} needs to know whom", f"give --user ID or --address IP {more}".rstrip())


def ban_end(seconds: float | None, until: When | None, forever: bool) -> BanEnd:
    """The end that exactly one of the three options gives. Raises ChatError, exit 2."""
    if (seconds is not None, until is not None, forever).count(True) != 1:
        raise usage_error(
            "a ban needs an end, or to be told that it has none",
            "give --for 1h, --until TIME or --forever",
        )
    if until is not None:
        if until.at is None:
            raise usage_error(
                f"--until is a time to come, and the age {until.text} counts back", f"give --for {until.text}"
            )
        return BanEnd(at=until.at)
    return BanEnd(math.inf if seconds is None else seconds)


def ban_reason(text: str) -> str:
    """The reason that an option gives. Raises ChatError, exit 2."""
    try:
        return bans.check_reason(text)
    except ValueError as error:
        raise usage_error(f"--reason: {error}", "give a shorter one") from None
