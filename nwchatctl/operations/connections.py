"""What the commands about connections share: reading the table, and asking API Gateway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.targets import ConnectionPosts
from nwchat.model.rows import Connection, Recipient, Row
from nwchatctl.aws.core.server_clock import ServerClock
from nwchatctl.aws.dynamodb.connections import read_row
from nwchatctl.aws.dynamodb.keys import can_be_key
from nwchatctl.chat.connection_rows import ALL_PARTS, ConnectionQuery, RowAge, row_age
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.operations.deployed_api import require_api

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nwchatctl.context import App

GRACE_SECONDS = 120.0
"""Of --grace: a socket is made within seconds, and clocks may differ."""


def asking(app: App, method: Literal["GET", "DELETE"]) -> ConnectionPosts:
    """Requests to the deployed API's connections. Raises ChatError `not_deployed`, exit 4."""
    require_api(app)
    return ConnectionPosts(method, app.connections_url, app.cloud.location.region, app.credentials)


def server_clock(app: App) -> ServerClock:
    """AWS's clock, as DynamoDB's answers tell it from now on: a wrong one here makes nothing old."""
    return ServerClock(app.aws.client("dynamodb"), app.now_ms)


def candidates(
    app: App,
    grace_seconds: float | None,
    *,
    user: str = "",
    before_ms: int | None = None,
    expired: bool = False,
    wanted: Callable[[Connection], bool] | None = None,
) -> Prefetcher[Recipient]:
    """The rows of the table with their Standing, read ahead: those that `Candidates` says. To be closed."""
    clock = server_clock(app)
    chosen = ConnectionQuery(
        app.store.scan, clock.now_ms, grace_ms(grace_seconds), user, before_ms, expired, wanted
    )
    return Prefetcher([partial(chosen.pages, part) for part in ALL_PARTS], depth=1)


def can_be_one(connection_id: str) -> bool:
    """Whether there can be a connection of that id: what a request refuses is no answer about one."""
    return can_be_key(connection_id) and connection_id not in (".", "..")


def looked_up(app: App, ids: Sequence[str]) -> list[Recipient]:
    """The rows of those ids, with their Standing; also of ids that have none."""
    clock = server_clock(app)
    found = []
    for each in ids:
        row = find_row(app, each)
        if row is None:
            found.append(Recipient(each, note=RowAge.ABSENT))
        else:
            since = Recipient(each, row).connected_at
            found.append(Recipient(each, row, row_age(since, clock.now_ms(), grace_ms(None))))
    return found


def find_row(app: App, connection_id: str) -> Row | None:
    """The row of that id as it is now; None for none."""
    table = ResourceNames(app.settings.chat.name).connections
    return read_row(app.aws.client("dynamodb"), table, connection_id)


def grace_ms(seconds: float | None) -> int:
    """What --grace says, or its default."""
    return round((GRACE_SECONDS if seconds is None else seconds) * 1000)


def roughly(app: App) -> int | None:
    """How many connections there may be, for somebody who watches: DynamoDB counts every six hours."""
    if app.silent or not app.streams.err_terminal:
        return None
    return app.store.size() or None
