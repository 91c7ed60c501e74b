"""`connections prune`: rows whose socket is gone, and only those, go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.connections.shared import (
    GraceOption,
    OlderThanOption,
    RateOption,
    exit_code,
    warnings,
)
from nwchatctl.commands.options import DryRunOption, JsonOption, examples, when_ms
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.chat.connection_prune import PruneResult
    from nwchatctl.context import App

HELP = examples(
    ("what would go?", "nwchatctl connections prune --dry-run"),
    ("hourly, from cron", "nwchatctl -q --timeout 10m connections prune"),
    ("only those not heard of for two hours", "nwchatctl connections prune --older-than 2h"),
)


def prune(
    ctx: typer.Context,
    older_than: OlderThanOption = None,
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
    from nwchatctl.operations.connections import prune_rows

    app: App = ctx.obj
    app.require_config()
    app.print_target()
    began = time.monotonic()
    before_ms = when_ms(older_than, app.now_ms())
    result, stopped = prune_rows(app, grace, before_ms, rate, dry_run=dry_run)
    return _report(result, stopped, began, dry_run=dry_run)


def _report(result: PruneResult, stopped: str, began: float, *, dry_run: bool) -> Report:
    deleted = f"{result.left} would be deleted" if dry_run else f"{result.deleted} deleted"
    others = (
        ("too young to go", result.kept_young),
        ("changed or gone meanwhile", result.changed),
        ("left", 0 if dry_run else result.left),
        ("failed", result.failed),
    )
    parts = [deleted, *(f"{count} {text}" for text, count in others if count)]
    text = f"{result.checked} checked, {result.gone} gone: {', '.join(parts)}"
    return Report(
        data={
            "checked": result.checked,
            "gone": result.gone,
            "deleted": result.deleted,
            "kept_young": result.kept_young,
            "failed": result.failed,
            "alive": result.alive,
            "changed": result.changed,
            "left": result.left,
            "retries": result.retries,
            "dry_run": dry_run,
            "stopped": stopped or None,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(text, Mark.WARN if result.failed or stopped else Mark.GOOD),),
        exit_code=exit_code(result, stopped),
        warnings=tuple(warnings(result, stopped, "goes on")),
    )
