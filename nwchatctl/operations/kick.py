"""Closes connections, and bans their users before."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nwchat.delivery.outcome import Gone
from nwchat.delivery.poster import ListSource
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.model.bans import is_user
from nwchat.model.rows import connection_of
from nwchatctl.chat.bans import BanChange, BanEnd, BanTarget, connection_target
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.chat.connection_rows import RowAge
from nwchatctl.errors import usage_error
from nwchatctl.operations.bans import ban_all, ban_targets, distinct_targets, exact_ids, shared_addresses
from nwchatctl.operations.connections import connection_requests, find_rows, is_valid_id, query_connections
from nwchatctl.signals import graceful_stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwchat.delivery.outcome import Outcome
    from nwchat.delivery.request import Source
    from nwchat.model.rows import Connection, Recipient
    from nwchatctl.context import App


def ban_end(app: App, seconds: float | None, user: str, everybody: bool) -> BanEnd | None:
    """When the ban ends that --ban asks for, None for no ban. Raises ChatError, exit 2, before anything is
    done, where there can be no such ban."""
    if seconds is None:
        return None
    if everybody:
        raise usage_error("--ban is for some, and --all is everybody", "give IDs or --user ID")
    end = BanEnd(seconds)
    end.epoch_ms(app.now_ms())
    ban_targets(app, [user] if user else (), ())
    return end


def everybody(app: App) -> str:
    """What `kick --all` closes: how many connections of which chat. They are counted only for whoever can be
    asked. Raises boto3's errors."""
    chat = f"chat {app.settings.chat.name} in {app.cloud.location.place}"
    if app.json or not app.streams.asks:
        return f"all connections of {chat} are closed"
    with app.bar("connections counted") as bar:
        count = 0
        for page in app.store.connections(app.now_ms()):
            count += len(page)
            bar.update(count)
    if count == 0:
        return f"no connection of {chat} is open"
    return (
        f"the one connection of {chat} is closed"
        if count == 1
        else f"all {count} connections of {chat} are closed"
    )


class Kick:
    """One run: the connections that are closed, or in a dry run asked about, by id or by user. Raises
    ChatError `not_deployed`, exit 4."""

    def __init__(self, app: App, given: Sequence[str], user: str, rate: float | None, dry_run: bool) -> None:
        self.absent = [each for each in given if not is_valid_id(each)]
        """Ids that were given and have neither a row nor a connection."""
        self.not_bannable: list[str] = []
        """Ids of connections of which nothing is known that a ban could apply to."""
        self.shared: list[str] = []
        """Warnings for bans on addresses that other connections have too."""
        self._app = app
        self._ids = [each for each in given if is_valid_id(each)]
        self._by_id = bool(given)
        self._user = user
        self._rate = rate
        self._dry_run = dry_run
        self._exact = exact_ids(app)
        self._requests = connection_requests(app, "GET" if dry_run else "DELETE")

    @cached_property
    def _rows(self) -> list[Recipient]:
        """The rows of the ids that were given."""
        return find_rows(self._app, self._ids)

    def ban(self, end: BanEnd) -> list[BanChange]:
        """Bans their users; in a dry run, only says which bans there would be."""
        targets: list[BanTarget] = []
        if self._user:
            targets = ban_targets(self._app, [self._user], ())
        for each in self._rows:
            target = connection_target(connection_of(each.row))
            if target is None:
                self.not_bannable.append(each.connection_id)
            else:
                targets.append(target)
        chosen = distinct_targets(self._app, targets)
        self.shared = shared_addresses(self._app, chosen, self._ids)
        return ban_all(self._app, chosen, end, "", self._dry_run)

    def close(self) -> tuple[PruneResult, str]:
        """What became of the connections, and the reason why it was stopped, "" where it was not."""
        if self._by_id:
            return self._close(ListSource(self._rows))
        found = query_connections(self._app, None, wanted=self._is_wanted if self._user else None)
        try:
            return self._close(found)
        finally:
            found.close()

    def _is_wanted(self, row: Connection) -> bool:
        """Whether the connection is of the user, to whom a ban that was just made applies too."""
        return is_user(self._user, row.sender_id, row.uname, exact=self._exact)

    def _close(self, source: Source[Recipient]) -> tuple[PruneResult, str]:
        app = self._app
        with graceful_stop() as stop, app.bar("kicked") as bar:

            def tick(result: PruneResult) -> str:
                bar.update(result.alive, f"{result.gone} gone, {result.failed} failed")
                return stop.reason

            result = prune(
                app.transport,
                self._requests,
                None if self._dry_run else app.rows,
                source,
                rate_limiter=RateLimiter(self._rate or app.sending_rate),
                tick=tick,
                on_outcome=self._note_absent,
            )
            bar.update(result.alive)
        return result, stop.reason if result.cut_short else ""

    def _note_absent(self, recipient: Recipient, outcome: Outcome) -> None:
        # Of a repeated request, the answer to an earlier one may have been lost: then this run closed it.
        if recipient.note is RowAge.ABSENT and isinstance(outcome, Gone) and not outcome.retries:
            self.absent.append(recipient.connection_id)
