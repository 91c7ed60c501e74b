"""`connections prune`: rows whose socket is gone, and only those, go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands._connections import GraceOption, RateOption
from nwchatctl.commands.options import DryRunOption, JsonOption, WhenOption, examples, parse_when
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.chat.sweeping import Swept
    from nwchatctl.context import App

PRUNE_HELP = examples(
    ("what would go?", "nwchatctl connections prune --dry-run"),
    ("hourly, from cron", "nwchatctl -q --timeout 10m connections prune"),
    ("only those not heard of for two hours", "nwchatctl connections prune --older-than 2h"),
)


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        WhenOption,
        typer.Option(
            "--older-than", parser=parse_when, metavar="AGE", help="Only those not heard of for so long."
        ),
    ] = None,
    grace: GraceOption = None,
    rate: RateOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Remove the rows of sockets that are gone.

    API Gateway is asked about each row; only its word that a socket is gone counts, and only a row that is
    still as it was read is deleted. Safe to run at any time and as often as one likes: after Ctrl-C or
    --timeout, the same command goes on. Exit code 5 when API Gateway did not answer about some, which stay.
    """
    app: App = ctx.obj
    app.require_config()
    app.announce()
    began = time.monotonic()
    before_ms = None if older_than is None else older_than.epoch_ms(app.now_ms())
    swept, stopped = _pruned(app, grace, before_ms, rate, dry_run)
    return _report(swept, stopped, began, dry_run=dry_run)


def _pruned(
    app: App, grace: float | None, before_ms: int | None, rate: float | None, dry_run: bool
) -> tuple[Swept, str]:
    """What became of the rows, and why it was stopped, if it was."""
    from nwchat.pace import Pace
    from nwchatctl.chat.sweeping import sweep
    from nwchatctl.commands._connections import asking, candidates, roughly
    from nwchatctl.stopping import gently

    asked = asking(app, "GET")
    total = roughly(app)
    with gently() as stop, app.bar("checked", total) as bar:
        found = candidates(app, grace, before_ms=before_ms, expired=True)

        def tick(swept: Swept) -> str:
            bar.update(swept.checked, f"{swept.gone} gone, {swept.deleted} deleted, {swept.failed} failed")
            return stop.reason

        try:
            rows = None if dry_run else app.rows
            swept = sweep(app.transport, asked, rows, found, pace=Pace(rate or app.sending_rate), tick=tick)
        finally:
            found.close()
        bar.update(swept.checked)
    return swept, stop.reason if swept.cut_short else ""


def _report(swept: Swept, stopped: str, began: float, *, dry_run: bool) -> Report:
    from nwchatctl.commands._connections import ended, warnings

    went = f"{swept.left} would be deleted" if dry_run else f"{swept.deleted} deleted"
    others = (
        ("too young to go", swept.kept_young),
        ("changed or gone meanwhile", swept.changed),
        ("left", 0 if dry_run else swept.left),
        ("failed", swept.failed),
    )
    said = [went, *(f"{count} {text}" for text, count in others if count)]
    text = f"{swept.checked} checked, {swept.gone} gone: {', '.join(said)}"
    return Report(
        data={
            "checked": swept.checked,
            "gone": swept.gone,
            "deleted": swept.deleted,
            "kept_young": swept.kept_young,
            "failed": swept.failed,
            "alive": swept.alive,
            "changed": swept.changed,
            "left": swept.left,
            "retries": swept.retries,
            "dry_run": dry_run,
            "stopped": stopped or None,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(text, Mark.WARN if swept.failed or stopped else Mark.GOOD),),
        exit_code=ended(swept, stopped),
        warnings=tuple(warnings(swept, stopped, "goes on")),
    )
