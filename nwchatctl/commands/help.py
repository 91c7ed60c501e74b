"""`help TOPIC`: what belongs to no single command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.config import PREFIX, RESERVED_VARIABLES
from nwchatctl.errors import Exit, usage_error
from nwchatctl.report import Line, Report, TextTable

HELP = examples(
    ("which topics are there?", "nwchatctl help"),
    ("what an exit code means", "nwchatctl help exit-codes"),
    ("every setting, its default and its meaning", "nwchatctl help config"),
)

_CODES = {
    Exit.DONE: "done; also: there was nothing to do",
    Exit.FAILED: "failed",
    Exit.USAGE: "the command line is wrong, or a file that it names cannot be read or written",
    Exit.CONFIG: "the configuration or the AWS credentials are wrong or missing",
    Exit.NOT_FOUND: "not found, or not deployed",
    Exit.PARTLY: "partly done: some recipients or items failed",
    Exit.DIFFERS: "differs: `plan --check`, `status --check`, or a check with findings",
    Exit.DECLINED: "declined, or a confirmation is missing where nobody can be asked",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.TERMINATED: "terminated (SIGTERM)",
}

_OTHERS = {
    "NO_COLOR": "anything: no colour",
    "FORCE_COLOR": "1: colour even when the output is no terminal",
    "COLUMNS": "how wide tables may be, in characters",
    "AWS_PROFILE, AWS_REGION, ...": "credentials and region, by boto3's own chain",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "HTTP proxies, for every connection; SOCKS is refused",
    "AWS_CA_BUNDLE": "a file of the certificates to trust; else the profile's ca_bundle",
    "REQUESTS_CA_BUNDLE, SSL_CERT_FILE": "the same, where those two name none",
    "AWS_ENDPOINT_URL": "an emulator of AWS, for every connection; one of a service: only on AWS itself",
    "AWS_USE_FIPS_ENDPOINT": "true: FIPS endpoints; what dials the chat's own addresses needs GovCloud then",
    "AWS_USE_DUALSTACK_ENDPOINT": "true: endpoints of AWS's services that have IPv6 too",
}


def _exit_codes() -> Report:
    rows = tuple((str(int(code)), meaning) for code, meaning in _CODES.items())
    data = {"exit_codes": [{"code": int(code), "meaning": meaning} for code, meaning in _CODES.items()]}
    return Report(data, (TextTable(("code", "meaning"), rows),), requested=True)


def _settings() -> tuple[tuple[str, str, str], ...]:
    """The name, default and meaning of each setting."""
    from nwchatctl.config.template import setting_docs

    return tuple(setting_docs())


def _config() -> Report:
    rows = _settings()
    data = {"settings": [{"name": name, "default": default, "meaning": text} for name, default, text in rows]}
    return Report(
        data,
        (TextTable(("setting", "default", "meaning"), rows),),
        requested=True,
        notes=(
            "Flags go before NWCHAT_* variables, those before nwchat.toml (here or in a parent folder,",
            "or --config FILE), and that before the defaults. `nwchatctl config show` says what holds.",
        ),
    )


def _environment() -> Report:
    settings = {
        PREFIX + (f"{section.upper()}__{key if key == 'KEY' else key.upper()}"): meaning
        for section, key, meaning in ((*name.split("."), meaning) for name, _, meaning in _settings())
    }
    variables = {**RESERVED_VARIABLES, **settings, **_OTHERS}
    data = {"variables": [{"name": name, "meaning": meaning} for name, meaning in variables.items()]}
    return Report(
        data,
        (TextTable(("variable", "meaning"), tuple(variables.items())),),
        requested=True,
        notes=(
            "Lists are separated by commas: NWCHAT_CHAT__ALLOWED_ORIGINS=https://a.example,https://b.example",
            "What follows NWCHAT_TAGS__ is the tag's key as it is, capitals included.",
        ),
    )


_TOPICS: dict[str, tuple[str, Callable[[], Report]]] = {
    "exit-codes": ("what each exit code means", _exit_codes),
    "config": ("every setting, its default and its meaning", _config),
    "environment": ("every variable that is read", _environment),
}


def _topics_and_commands(ctx: Any, incomplete: str) -> list[str]:
    """What may follow the words that are there already."""
    command = ctx.find_root().command
    words = ctx.params.get("words") or ()
    for word in words:
        command = getattr(command, "commands", {}).get(word)
    names = [*getattr(command, "commands", ()), *(() if words else _TOPICS)]
    return [each for each in dict.fromkeys(names) if each.startswith(incomplete)]


def help_(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC|COMMAND...",
            help="A topic or a command; without one, the topics.",
            autocompletion=_topics_and_commands,
        ),
    ] = None,
    json: JsonOption = False,
) -> Report:
    """Explain a topic: exit-codes, config, environment. Or a command, as nwchatctl COMMAND --help does."""
    topic = " ".join(words or ())
    if not topic:
        rows = tuple((name, text) for name, (text, _) in _TOPICS.items())
        data = {"topics": [{"name": name, "about": about} for name, about in rows]}
        notes = ("For a command: nwchatctl help COMMAND",)
        return Report(data, (TextTable(("topic", "about"), rows),), notes=notes, requested=True)
    if topic in _TOPICS:
        return _TOPICS[topic][1]()
    text = _command_help(ctx.find_root(), words or ())
    if text is None:
        raise usage_error(f"there is no help topic or command {topic!r}", _meant(topic))
    return Report({"command": topic, "help": text}, tuple(map(Line, text.splitlines())), requested=True)


def _command_help(root: Any, words: Sequence[str]) -> str | None:
    """The help of the command that `words` name; None if there is none."""
    ctx, command = root, root.command
    for word in words:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return None
        ctx = command.context_class(command, info_name=word, parent=ctx, **command.context_settings)
    return str(command.get_help(ctx))


def _meant(topic: str) -> str:
    close = get_close_matches(topic, _TOPICS, 1)
    if close:
        return f"did you mean `nwchatctl help {close[0]}`?"
    return f"topics are {', '.join(_TOPICS)}"
