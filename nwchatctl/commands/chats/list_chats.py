"""`chats list`: the chats of this tool in the account, by the tags of their resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.report import Report, TextTable, counted

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.account_chats import AccountChat
    from nwchatctl.operations.account_chats import FoundChats

HELP = examples(
    ("all of them, also one that was renamed", "nwchatctl chats list"),
    ("in one Region", "nwchatctl --region eu-west-1 chats list"),
    ("for a script", "nwchatctl chats list --json | jq -r '.chats[].chat'"),
)


def list_chats(ctx: typer.Context, json: JsonOption = False) -> Report:
    """List the chats in every Region that the account has enabled.

    `--region` limits it to one Region. Chats are found by the tags of their resources. IAM roles and DNS
    records are not counted.
    """
    from nwchatctl.operations import account_chats

    app: App = ctx.obj
    found = account_chats.find_chats(app, app.options.region)
    own = (app.settings.chat.name, app.cloud.location.region)
    denied, failed = found.regions("denied"), found.regions("failed")
    return Report(
        data=_as_json(found, own),
        body=(
            TextTable(
                ("chat", "region", "state", "", "resources"),
                [_row(each, own) for each in found.chats],
                empty=f"account {found.account} has no chat of this tool",
                shortened=4,
            ),
        ),
        exit_code=Exit.PARTLY if failed else 0,
        warnings=(
            *([f"not permitted in {', '.join(denied)}: skipped"] if denied else ()),
            *([f"no answer from {', '.join(failed)}: skipped"] if failed else ()),
        ),
        notes=_notes(found),
        requested=True,
    )


def _as_json(found: FoundChats, own: tuple[str, str]) -> dict[str, object]:
    return {
        "account": found.account,
        "chats": [
            {
                "chat": each.name,
                "region": each.region,
                "state": each.state,
                "current": (each.name, each.region) == own,
                "count": each.count,
                "resources": dict(each.resources),
            }
            for each in found.chats
        ],
        "skipped": [{"region": region, "reason": reason} for region, reason in found.skipped],
    }


def _row(chat: AccountChat, own: tuple[str, str]) -> tuple[str, ...]:
    mark = "current" if (chat.name, chat.region) == own else ""
    kinds = (counted(count, kind, kind if kind.endswith("s") else "") for kind, count in chat.resources)
    return (chat.name, chat.region, chat.state, mark, ", ".join(kinds))


def _notes(found: FoundChats) -> tuple[str, ...]:
    off = len(found.regions("not enabled"))
    return (f"{counted(off, 'Region')} skipped that the account has not enabled",) if off else ()
