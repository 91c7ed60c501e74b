"""`init`: a commented nwchat.toml."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl import private_files
from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.config import FILE_NAME
from nwchatctl.errors import ChatError, Exit
from nwchatctl.output import prompt
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nwchatctl.context import App

HELP = examples(
    ("answer a few questions", "nwchatctl init"),
    (
        "no questions: defaults, but for the name and the region",
        "nwchatctl --region us-east-2 init --yes --name dojo",
    ),
    ("look at it first", "nwchatctl init --yes --dry-run"),
)

_QUESTIONS = (
    ("chat.name", "Name of the chat"),
    ("aws.profile", "AWS profile, empty for the default"),
    ("aws.region", "AWS region, empty for the profile's"),
    ("stage.name", "Name of the stage"),
    ("tables.retention_days", "Days to keep messages"),
)


def init(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The chat's name.")] = "",
    path: Annotated[
        Path | None, typer.Option("--path", metavar="FILE", help="Where to write it. [default: nwchat.toml]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Write a commented nwchat.toml.

    It has every setting with its meaning and default. Asks on a terminal; takes the defaults under --yes.
    """
    from nwchatctl.config import loader, template

    app: App = ctx.obj
    target = _target(app, path)
    if target.exists() and not force and not dry_run:
        raise _exists(target)
    options = app.options
    flags = {"chat.name": name, "aws.profile": options.profile or "", "aws.region": options.region or ""}
    given = {key: value for key, value in flags.items() if value}
    chosen = _chosen(app, given, template.defaults(), loader.value_error, asks=not yes)
    text = template.template(chosen)
    if not dry_run:
        _write(target, text, force=force)
    done = Line(f"wrote {target}", Mark.GOOD)
    return Report(
        data={"path": str(target), "written": not dry_run, "dry_run": dry_run, "text": text},
        body=tuple(Line(each) for each in text.splitlines()) if dry_run else (done,),
        notes=() if dry_run else ("look it over, then see what would be built: nwchatctl plan",),
    )


def _target(app: App, path: Path | None) -> Path:
    wanted = app.cwd / private_files.expanded(path or app.options.config or Path(FILE_NAME))
    return wanted / FILE_NAME if wanted.is_dir() else wanted


def _chosen(
    app: App,
    given: dict[str, str],
    defaults: Mapping[str, str],
    complaint: Callable[[str, str], str],
    *,
    asks: bool,
) -> dict[str, str]:
    """The settings that are set, as text by `section.key`; `complaint` says what is wrong with one, "" for
    nothing. Raises BadParameter for a bad flag, and ChatError where nobody can be asked."""
    for key, value in given.items():
        if wrong := complaint(key, value):
            raise typer.BadParameter(wrong, param_hint=f"'--{key.partition('.')[2]}'")
    chosen = {"chat.name": defaults["chat.name"], **given}
    if not asks:
        return chosen
    if app.json or not app.streams.asks:
        raise ChatError(
            "there is nobody to ask for the settings",
            hint="give --yes for the defaults: nwchatctl init --yes --name NAME",
            code="confirmation_required",
            exit_code=Exit.DECLINED,
        )
    for key, question in _QUESTIONS:
        if key not in given:
            default = defaults[key]
            answer = prompt.ask(app.streams, question, default, partial(complaint, key))
            if answer != default or key in chosen:
                chosen[key] = answer
    return chosen


def _write(target: Path, text: str, *, force: bool) -> None:
    """Writes the file; over another one only with `force`, which then is there whole or not at all."""
    try:
        if force:
            private_files.replace(target, lambda file: file.write(text.encode()))
        else:
            with private_files.create(target) as file:
                file.write(text.encode())
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise ChatError(
            f"{target} cannot be written: {error.strerror}",
            hint="give a place that you may write to: nwchatctl init --path FILE",
            code="init_failed",
            exit_code=Exit.USAGE,
        ) from error


def _exists(target: Path) -> ChatError:
    return ChatError(
        f"{target} is there already",
        hint="give --force to overwrite it, or --path FILE to write another",
        code="config_exists",
        exit_code=Exit.USAGE,
    )
