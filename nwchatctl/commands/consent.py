"""The question of the commands that carry out a plan: what it means is named before it is agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.output.prompt import ConsentReasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwchatctl.context import App
    from nwchatctl.deploy.consequences import Consequence

OpenOption = Annotated[
    bool,
    typer.Option(
        "--open",
        help="Agree that a chat which asks for tokens lets everybody in without; --yes does not.",
        show_default=False,
    ),
]


def ask(
    app: App,
    question: str,
    consequences: Sequence[Consequence],
    *,
    yes: bool,
    opens: bool,
    asks: bool = False,
    hint: str = "",
) -> None:
    """Returns when all consequences that need consent have it: by --yes, by --open, or by one answer.

    Nothing is asked if no consequence needs a flag, unless `asks`. `hint` follows "give --open" in the error.
    Raises ChatError, exit 7.
    """
    needed = {each.flag for each in consequences if each.flag} | ({"--yes"} if asks else set())
    missing = sorted(needed - ({"--yes"} if yes else set()) - ({"--open"} if opens else set()), reverse=True)
    texts = tuple(each.text for each in consequences if each.flag in missing)
    reasons = ConsentReasons(texts, hint if "--open" in missing else "")
    app.confirm(question, given=not missing, flag=" ".join(missing), reasons=reasons)


def token_hint(app: App) -> str:
    """How to keep asking for tokens: the setting may be lost rather than changed."""
    origin = app.loaded.origins.get("auth.mode", "default")
    return f', or set auth.mode = "token" (it is "{app.settings.auth.mode}" by {origin})'
