"""`history`: what was said."""

from __future__ import annotations

import typer

from nwchatctl.commands.history import delete, export, import_messages, tail, trim
from nwchatctl.commands.options import examples

group = typer.Typer(
    help="Read, keep, bring back and delete what was said.",
    epilog=examples(
        ("the last messages", "nwchatctl history tail"),
        ("every new one, as it comes", "nwchatctl history tail -n 0 -f"),
        ("all of them, as a file", "nwchatctl history export chat.jsonl"),
    ),
)

group.command("tail", epilog=tail.HELP)(tail.tail)
group.command("export", epilog=export.HELP)(export.export)
group.command("import", epilog=import_messages.HELP)(import_messages.import_messages)
group.command("trim", epilog=trim.HELP)(trim.trim)
group.command("delete", epilog=delete.HELP)(delete.delete)
