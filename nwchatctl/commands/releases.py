"""`releases`: what was deployed when, by whom, and what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Report, TextTable
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.releases import ReleaseEntry

HELP = examples(
    ("what was deployed when, and by whom?", "nwchatctl releases"),
    (
        "the release that runs now, for a script",
        "nwchatctl releases --json | jq -r '.releases[] | select(.current).id'",
    ),
)

_SHOWN = 3
"""Changes of a release that a person sees at once; `-v` and `--json` have all."""


def releases(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 100,
    json: JsonOption = False,
) -> Report:
    """List the releases, newest first, with the one that runs now.

    The last ten versions of each function and the last five deployments are kept, and so can be gone back to.
    A function that a deploy removes takes all releases along that have it.
    """
    from nwchatctl.operations.releases import list_releases

    app: App = ctx.obj
    found = list_releases(app, limit)
    return Report(
        data={
            "releases": [
                {
                    "id": each.record.release.name,
                    "created_at": iso(each.record.created_at),
                    "current": each.current,
                    "by": each.record.by,
                    "code_sha256": each.record.release.code_sha256,
                    "available": each.available,
                    "changed": list(each.changed),
                }
                for each in found
            ]
        },
        body=(
            TextTable(
                ("release", "", "deployed", "by", "code", "changed"),
                [_row(each, whole=app.options.verbose, terminal=app.streams.out_terminal) for each in found],
                empty="no release yet: run `nwchatctl deploy`",
                shortened=5,
            ),
        ),
        requested=True,
    )


def _row(entry: ReleaseEntry, *, whole: bool, terminal: bool) -> tuple[str, ...]:
    release = entry.record.release
    state = "current" if entry.current else "" if entry.available else "gone"
    lines = entry.changed_short if terminal and not whole else entry.changed
    changed = lines if whole else lines[:_SHOWN]
    more = len(lines) - len(changed)
    text = "; ".join((*changed, *([f"{more} more"] if more else [])))
    when = local(entry.record.created_at)
    return (release.name, state, when, entry.record.by, release.code_sha256[:8], text or "-")
