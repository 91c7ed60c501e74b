"""Reads rows of the connections table, asks API Gateway about them, and deletes rows of closed ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from nwchat.delivery.outcome import Open
from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Connection, Recipient, Row, connection_of
from nwchatctl.aws.dynamodb.connections import read_row
from nwchatctl.aws.dynamodb.keys import can_be_key
from nwchatctl.chat import connection_status
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.chat.connection_rows import ALL_PARTS, ConnectionQuery, RowAge, row_age
from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.deployed_api import require_api
from nwchatctl.signals import graceful_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nwchatctl.chat.connection_status import ConnectionInfo
    from nwchatctl.context import App

GRACE_SECONDS = 120.0
"""The default of --grace: a connection is made within seconds, and clocks may differ."""


def no_connection(app: App, message: str) -> ChatError:
    """The error of a command whose connections are not there."""
    hint = app.command("connections", "list")
    return ChatError(message, hint=hint, code="no_connection", exit_code=Exit.NOT_FOUND)


def connection_requests(app: App, method: Literal["GET", "DELETE"]) -> ConnectionRequests:
    """Requests to the deployed API's connections. Raises ChatError `not_deployed`, exit 4."""
    require_api(app)
    return ConnectionRequests(method, app.connections_url, app.cloud.location.region, app.credentials)


def query_connections(
    app: App,
    grace_seconds: float | None,
    *,
    before_ms: int | None = None,
    expired: bool = False,
    wanted: Callable[[Connection], bool] | None = None,
) -> Prefetcher[Recipient]:
    """The rows that `Candidates` selects, each with its age, read ahead. The caller closes it."""
    # AWS's: a wrong clock on this machine makes no row look old.
    clock = app.clock
    chosen = ConnectionQuery(
        app.store.scan, clock.now_ms, grace_ms(grace_seconds), before_ms, expired, wanted
    )
    return Prefetcher([partial(chosen.pages, part) for part in ALL_PARTS], depth=1)


def is_valid_id(connection_id: str) -> bool:
    """Whether a connection can have that id: a request that AWS refuses says nothing about a connection."""
    return can_be_key(connection_id) and connection_id not in (".", "..")


def find_rows(app: App, ids: Sequence[str]) -> list[Recipient]:
    """The rows of those ids, each with its age; an id without a row has the age ABSENT."""
    # AWS's: a wrong clock on this machine makes no row look old.
    clock = app.clock
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
    """The row of that id as it is now; None where there is none."""
    return read_row(app.aws.client("dynamodb"), app.names.connections, connection_id)


def grace_ms(seconds: float | None) -> int:
    """The value of --grace, or its default, in ms."""
    return round((GRACE_SECONDS if seconds is None else seconds) * 1000)


def approximate_count(app: App) -> int | None:
    """How many connections there may be, where a bar shows it: DynamoDB counts every six hours."""
    if app.silent or not app.streams.err_terminal:
        return None
    return app.store.item_count() or None


@dataclass(frozen=True)
class FoundConnection:
    """A connection as the table has it (`row`) and as API Gateway does. `open` is None where API Gateway does
    not say, for this `reason`; `about` is what it says of an open one."""

    connection_id: str
    row: Connection | None
    open: bool | None
    about: ConnectionInfo | None
    reason: str

    @property
    def shown(self) -> Connection:
        """The row, or one that has only the id."""
        return self.row or Connection(self.connection_id)


def find_connection(app: App, connection_id: str) -> FoundConnection:
    """Asks API Gateway and the table. Raises ChatError `not_deployed`, exit 4."""
    if not is_valid_id(connection_id):
        return FoundConnection(connection_id, None, False, None, "")
    requests = connection_requests(app, "GET")
    outcome = connection_status.fetch_outcomes(app.transport, requests, [connection_id], RateLimiter())[
        connection_id
    ]
    row = find_row(app, connection_id)
    return FoundConnection(
        connection_id,
        None if row is None else connection_of(row),
        connection_status.is_open(outcome),
        connection_status.parse_info(outcome.about) if isinstance(outcome, Open) else None,
        getattr(outcome, "reason", ""),
    )


def verify(
    app: App, chosen: Iterator[Connection], rate: float | None
) -> Iterator[tuple[Connection, bool | None]]:
    """Each connection, and whether API Gateway says that it is open. Raises ChatError `not_deployed`."""
    limiter = RateLimiter(rate or app.sending_rate)
    return connection_status.verify(app.transport, connection_requests(app, "GET"), chosen, limiter)


def prune_rows(
    app: App, grace: float | None, before_ms: int | None, rate: float | None, *, dry_run: bool
) -> tuple[PruneResult, str]:
    """What became of the rows, and the reason why it was stopped, "" where it was not."""
    requests = connection_requests(app, "GET")
    total = approximate_count(app)
    with graceful_stop() as stop, app.bar("checked", total) as bar:
        rows = query_connections(app, grace, before_ms=before_ms, expired=True)

        def tick(result: PruneResult) -> str:
            bar.update(
                result.checked, f"{result.gone} gone, {result.deleted} deleted, {result.failed} failed"
            )
            return stop.reason

        try:
            result = prune(
                app.transport,
                requests,
                None if dry_run else app.rows,
                rows,
                rate_limiter=RateLimiter(rate or app.sending_rate),
                tick=tick,
            )
        finally:
            rows.close()
        bar.update(result.checked)
    return result, stop.reason if result.cut_short else ""
