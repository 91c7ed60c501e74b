"""`connections kick`: sockets are closed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.chat.bans import BanEnd
from nwchatctl.commands.ban.shared import ban_targets, banned_json, banned_line, distinct, parse_length
from nwchatctl.commands.connections.shared import RateOption
from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.errors import ChatError, Exit, usage_error
from nwchatctl.operations.bans import ban_all, exact_ids
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.delivery.outcome import Outcome
    from nwchat.delivery.scheduler import Source
    from nwchat.model.rows import Connection, Recipient
    from nwchatctl.chat.bans import BanChange, BanTarget
    from nwchatctl.chat.connection_prune import PruneResult
    from nwchatctl.context import App

HELP = examples(
    ("one socket", "nwchatctl connections kick L0SM9cOFvHcCIhw="),
    ("all sockets of one player", "nwchatctl connections kick --user 128274"),
    ("and keep them out for a day", "nwchatctl connections kick --user 128274 --ban 1d"),
    ("everybody, from a script", "nwchatctl connections kick --all --confirm ninjawars"),
)


def _length(text: str) -> float:
    return parse_length(text)


def kick(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="As `connections list` has them.")
    ] = None,
    user: Annotated[
        str, typer.Option("--user", metavar="ID", help="All sockets of this sender_id or name.")
    ] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's.", show_default=False)] = False,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="With --all: the chat's name, not typed.")
    ] = "",
    ban: Annotated[
        float | None,
        typer.Option(
            "--ban",
            metavar="LENGTH",
            parser=_length,
            help="Ban them before, for so long (1h, 7d) or forever.",
        ),
    ] = None,
    yes: YesOption = False,
    rate: RateOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Close sockets.

    Clients may connect again at once; with --ban, whoever has the sockets is banned before they are closed:
    the user, or for an ID its address (a /64 of IPv6), as names are what a client says; its sender_id where a
    token has said it. --all wants the chat's name typed, or given with --confirm; --yes will not do for
    that. Exit code 4 when there is no such connection, 5 when some could not be closed, or are none.
    """
    app: App = ctx.obj
    app.require_config()
    given = list(dict.fromkeys(ids or ()))
    if (bool(given), bool(user), everybody).count(True) != 1:
        raise usage_error("kick needs to know whom: IDs, --user ID or --all", "give one of them")
    end = _end(app, ban, user, everybody)
    app.print_target()
    began = time.monotonic()
    whom = _Whom(app, given, user, rate, dry_run)
    if everybody and not dry_run:
        app.confirm_name(app.settings.chat.name, given=confirm)
    made = whom.banned(end) if end is not None else []
    try:
        result, stopped = whom.kicked()
    except BaseException as error:
        if made and not dry_run:
            error.add_note(f"{', '.join(each.ban.who for each in made)} banned")
        raise
    if given and len(whom.absent) == len(given):
        raise _unknown(app, f"no connection is called {', '.join(given)}")
    if user and not result.checked and not stopped and not made:
        raise _unknown(app, f"no connection is known to be of {user}")
    return _report(result, stopped, whom, made, began, dry_run=dry_run)


def _end(app: App, ban: float | None, user: str, everybody: bool) -> BanEnd | None:
    """When the ban ends that is asked for. Raises ChatError, exit 2, where it cannot be, before all else."""
    if ban is None:
        return None
    if everybody:
        raise usage_error("--ban is for some, and --all is everybody", "give IDs or --user ID")
    end = BanEnd(ban)
    end.epoch_ms(app.now_ms())
    ban_targets(app, [user] if user else (), ())
    return end


class _Whom:
    """Whose sockets are closed, or in a dry run asked about. Raises ChatError `not_deployed`, exit 4."""

    def __init__(self, app: App, given: Sequence[str], user: str, rate: float | None, dry_run: bool) -> None:
        from nwchatctl.operations.connections import asking, can_be_one

        self.absent = [each for each in given if not can_be_one(each)]
        """Ids that were given, and of which there is neither a row nor a socket."""
        self.nobody: list[str] = []
        """Ids of connections of which nothing is known that a ban could be on."""
        self._app = app
        self._given = [each for each in given if can_be_one(each)]
        self._named = bool(given)
        self._user = user
        self._rate = rate
        self._dry_run = dry_run
        self._meant: BanTarget | None = None
        self._asked = asking(app, "GET" if dry_run else "DELETE")

    @cached_property
    def _listed(self) -> list[Recipient]:
        """The rows of the ids that were given."""
        from nwchatctl.operations.connections import looked_up

        return looked_up(self._app, self._given)

    def banned(self, end: BanEnd) -> list[BanChange]:
        """The bans on them, which are made unless in a dry run."""
        from nwchat.model.rows import connection_of
        from nwchatctl.chat.bans import connection_target

        found: list[BanTarget] = []
        if self._user:
            found = ban_targets(self._app, [self._user], ())
            (self._meant,) = found
        for each in self._listed:
            whom = connection_target(connection_of(each.row))
            if whom is None:
                self.nobody.append(each.connection_id)
            else:
                found.append(whom)
        return ban_all(self._app, distinct(self._app, found), end, "", self._dry_run)

    def kicked(self) -> tuple[PruneResult, str]:
        """What became of them, and why it was stopped, if it was."""
        from nwchat.delivery.poster import ListSource
        from nwchatctl.operations.connections import candidates

        if self._named:
            return self._swept(ListSource(self._listed))
        if self._meant is None:
            found = candidates(self._app, None, user=self._user)
        else:
            found = candidates(self._app, None, wanted=self._is_meant)
        try:
            return self._swept(found)
        finally:
            found.close()

    def _is_meant(self, row: Connection) -> bool:
        """Whether the ban that was just made is on whoever has that connection."""
        from nwchat.model.bans import Ban, applies_to

        if (whom := self._meant) is None:
            return False
        return applies_to(Ban(whom.key, whom.who), row.sender_id, row.uname, exact=exact_ids(self._app))

    def _swept(self, source: Source[Recipient]) -> tuple[PruneResult, str]:
        from nwchat.delivery.rate_limit import RateLimiter
        from nwchatctl.chat.connection_prune import prune
        from nwchatctl.signals import graceful_stop

        app = self._app
        with graceful_stop() as stop, app.bar("kicked") as bar:

            def tick(result: PruneResult) -> str:
                bar.update(result.alive, f"{result.gone} gone, {result.failed} failed")
                return stop.reason

            result = prune(
                app.transport,
                self._asked,
                None if self._dry_run else app.rows,
                source,
                rate_limiter=RateLimiter(self._rate or app.sending_rate),
                tick=tick,
                on_outcome=self._settle,
            )
            bar.update(result.alive)
        return result, stop.reason if result.cut_short else ""

    def _settle(self, recipient: Recipient, outcome: Outcome) -> None:
        from nwchat.delivery.outcome import Gone
        from nwchatctl.chat.connection_rows import RowAge

        if recipient.note is RowAge.ABSENT and isinstance(outcome, Gone):
            self.absent.append(recipient.connection_id)


def _unknown(app: App, message: str) -> ChatError:
    hint = app.command("connections", "list")
    return ChatError(message, hint=hint, code="no_connection", exit_code=Exit.NOT_FOUND)


def _report(
    result: PruneResult, stopped: str, whom: _Whom, made: list[BanChange], began: float, *, dry_run: bool
) -> Report:
    from nwchatctl.commands.connections.shared import ended, warnings

    absent = whom.absent
    said = [f"{result.alive} {'would be kicked' if dry_run else 'kicked'}"]
    others = (("gone already", result.gone - result.absent), ("unknown", len(absent)))
    said += [f"{count} {text}" for text, count in (*others, ("failed", result.failed)) if count]
    code = ended(result, stopped)
    if code is Exit.DONE and absent:
        code = Exit.PARTLY if result.alive or result.gone > result.absent else Exit.NOT_FOUND
    if code is Exit.DONE and whom.nobody and not made:
        code = Exit.PARTLY
    return Report(
        data={
            "kicked": 0 if dry_run else result.alive,
            "gone": result.gone,
            "failed": result.failed,
            "checked": result.checked,
            "open": result.alive,
            "deleted": result.deleted,
            "unknown": absent,
            "retries": result.retries,
            "banned": [banned_json(each) for each in made],
            "dry_run": dry_run,
            "stopped": stopped or None,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            *(banned_line(each, dry_run) for each in made),
            Line(", ".join(said), Mark.WARN if code else Mark.GOOD),
        ),
        exit_code=code,
        warnings=(
            *warnings(result, stopped, "closes the others"),
            *(f"no connection is called {each}" for each in absent),
            *(f"{each} is of nobody who could be banned" for each in whom.nobody if each not in absent),
        ),
    )
