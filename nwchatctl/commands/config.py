"""`config show`, `config path`: what is set, and where it came from."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.config import find_file
from nwchatctl.errors import ChatError, Exit
from nwchatctl.redaction import looks_secret
from nwchatctl.report import Line, Report, TextTable

if TYPE_CHECKING:
    from nwchatctl.config import LoadedSettings
    from nwchatctl.context import App

group = typer.Typer(
    help="Settings, and where they come from.",
    epilog=examples(
        ("every setting, and where it came from", "nwchatctl config show"),
        ("the file that is read", "nwchatctl config path"),
    ),
)

_SHOW = examples(
    ("every setting, and where it came from", "nwchatctl config show"),
    ("only what is not as it comes", "nwchatctl config show | grep -v 'default$'"),
    ("one value for a script", "nwchatctl config show --json | jq -r .settings.chat.name.value"),
)
_PATH = examples(
    ("open the file that is read", '"$EDITOR" "$(nwchatctl config path)"'),
    ("which file, from another folder", "cd ~/games && nwchatctl config path"),
)

_MASK = "***"


@group.command(epilog=_SHOW)
def show(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Show every setting, its value, and where that came from."""
    app: App = ctx.obj
    loaded = app.loaded
    values = dict(_values(loaded))
    nested: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        keys = nested.setdefault(section, {})
        if key:
            keys[key] = {"value": value, "origin": loaded.origins[name]}
    rows = tuple((name, _text(value), loaded.origins[name]) for name, value in values.items())
    return Report(
        data={"path": str(loaded.path) if loaded.path else None, "settings": nested},
        body=(TextTable(("setting", "value", "from"), rows),),
        requested=True,
    )


@group.command(epilog=_PATH)
def path(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Print the path of the configuration file that is read."""
    app: App = ctx.obj
    found = find_file(app.options.config, cwd=app.cwd, environ=app.environ)
    if found is None:
        raise ChatError(
            f"there is no nwchat.toml in {app.cwd} or above it",
            hint="run `nwchatctl init`, or give --config FILE",
            code="config_missing",
            exit_code=Exit.CONFIG,
        )
    return Report({"path": str(found)}, (Line(str(found)),), requested=True)


def _values(loaded: LoadedSettings) -> list[tuple[str, object]]:
    """The value of everything that has an origin; what looks like a secret is masked."""
    dumped = loaded.settings.model_dump(mode="json")
    values: list[tuple[str, object]] = []
    for name in loaded.origins:
        section, _, key = name.partition(".")
        value = dumped[section][key] if key else dumped[section]
        values.append((name, _MASK if looks_secret(name) and value else value))
    return values


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else jsonlib.dumps(value, ensure_ascii=False)
