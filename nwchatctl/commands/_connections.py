"""What the commands about connections share: reading the table, and asking API Gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nwchatctl.commands.options import parse_seconds
from nwchatctl.errors import Exit
from nwchatctl.stopping import STOPPED

if TYPE_CHECKING:
    from nwchat.ahead import Ahead
    from nwchat.rows import Connection, Recipient, Row
    from nwchat.targets import Connections
    from nwchatctl.aws.clock import ServerClock
    from nwchatctl.chat.sweeping import Swept
    from nwchatctl.context import App

GRACE_SECONDS = 120.0
"""Of --grace: a socket is made within seconds, and clocks may differ."""


def _grace(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0s") else parse_seconds(text)


RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        min=1,
        help="At most so many requests a second; by default what sending.* leaves.",
    ),
]
GraceOption = Annotated[
    float | None,
    typer.Option("--grace", metavar="AGE", parser=_grace, help="Spare rows younger than that; 2m."),
]


def asking(app: App, method: Literal["GET", "DELETE"]) -> Connections:
    """Requests to the deployed API's connections. Raises ChatError `not_deployed`, exit 4."""
    from nwchat.targets import Connections
    from nwchatctl.commands._chat import require_api

    require_api(app)
    return Connections(method, app.sockets_url, app.cloud.where.region, app.credentials)


def server_clock(app: App) -> ServerClock:
    """AWS's clock, as DynamoDB's answers tell it from now on: a wrong one here makes nothing old."""
    from nwchatctl.aws.clock import ServerClock

    return ServerClock(app.aws.client("dynamodb"), app.now_ms)


def candidates(
    app: App,
    grace_seconds: float | None,
    *,
    user: str = "",
    before_ms: int | None = None,
    expired: bool = False,
    wanted: Callable[[Connection], bool] | None = None,
) -> Ahead[Recipient]:
    """The rows of the table with their Standing, read ahead: those that `Candidates` says. To be closed."""
    from nwchat.ahead import Ahead
    from nwchatctl.chat.candidates import WHOLE, Candidates

    clock = server_clock(app)
    chosen = Candidates(
        app.store.scan, clock.now_ms, grace_ms(grace_seconds), user, before_ms, expired, wanted
    )
    return Ahead([partial(chosen.pages, part) for part in WHOLE], depth=1)


def can_be_one(connection_id: str) -> bool:
    """Whether there can be a connection of that id: what a request refuses is no answer about one."""
    from nwchatctl.aws.keying import can_be_key

    return can_be_key(connection_id) and connection_id not in (".", "..")


def looked_up(app: App, ids: Sequence[str]) -> list[Recipient]:
    """The rows of those ids, with their Standing; also of ids that have none."""
    from nwchat.rows import Recipient
    from nwchatctl.chat.candidates import Standing, standing

    clock = server_clock(app)
    found = []
    for each in ids:
        row = read_row(app, each)
        if row is None:
            found.append(Recipient(each, note=Standing.ABSENT))
        else:
            since = Recipient(each, row).connected_at
            found.append(Recipient(each, row, standing(since, clock.now_ms(), grace_ms(None))))
    return found


def read_row(app: App, connection_id: str) -> Row | None:
    """The row of that id as it is now; None for none."""
    from nwchatctl.aws.connections import read_row
    from nwchatctl.deploy.naming import Names

    table = Names(app.settings.chat.name).connections
    return read_row(app.aws.client("dynamodb"), table, connection_id)


def grace_ms(seconds: float | None) -> int:
    """What --grace says, or its default."""
    return round((GRACE_SECONDS if seconds is None else seconds) * 1000)


def roughly(app: App) -> int | None:
    """How many connections there may be, for somebody who watches: DynamoDB counts every six hours."""
    if app.silent or not app.streams.err_terminal:
        return None
    return app.store.size() or None


def ended(swept: Swept, reason: str) -> Exit:
    """The exit code of a run that `reason` stopped, if it is not ""."""
    return STOPPED.get(reason, Exit.PARTLY if swept.failed else Exit.DONE)


def warnings(swept: Swept, stopped: str, rest: str) -> Iterator[str]:
    """Why it was not all; `rest` is what the same command does when it is run again."""
    if stopped:
        yield f"{stopped}: the same command again {rest}"
    for reason, times in swept.reasons:
        yield f"{times} times: {reason}"
