"""`token`: who comes into a chat of `auth.mode = "token"`."""

from __future__ import annotations

import typer

from nwchatctl.commands.options import examples
from nwchatctl.commands.token import check, issue, key, rotate

group = typer.Typer(
    help='Who comes into a chat of `auth.mode = "token"`.',
    epilog=examples(
        ("a token for one player, for 12 hours", "nwchatctl token issue 128274 --name tchalvak"),
        ("why somebody is refused", "nwchatctl token check < token.txt"),
        ("the key that the site signs with", "nwchatctl token key"),
        ("another key, without anybody being dropped", "nwchatctl token rotate"),
    ),
)

group.command("issue", epilog=issue.HELP)(issue.issue)
group.command("check", epilog=check.HELP)(check.check)
group.command("key", epilog=key.HELP)(key.key)
group.command("rotate", epilog=rotate.HELP)(rotate.rotate)
