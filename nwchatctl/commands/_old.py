"""The chat that `adopt` takes over: what it is called, whether it is there, and what is left of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.adoption import Copied, FoundApi, OldFunction, OldTable

DEFAULTS = {
    "table": "chat",
    "connect": "chat-connect",
    "disconnect": "chat-disconnect",
    "message": "chat-on-message",
}

_FLAGS = {
    "table": "--table",
    "connect": "--connect-function",
    "disconnect": "--disconnect-function",
    "message": "--message-function",
}

_QUESTIONS = {
    "table": "Table of connections",
    "connect": "Function for $connect",
    "disconnect": "Function for $disconnect",
    "message": "Function for messages",
}


@dataclass(frozen=True)
class Names:
    """What the old chat's things are called."""

    api_id: str
    table: str
    functions: Mapping[str, str]
    """connect, disconnect and message → name."""


@dataclass(frozen=True)
class Old:
    """The old chat as it is. `table` is None, and a function is missing, where it was removed after an
    adoption; `warnings` say so."""

    api: FoundApi
    table: OldTable | None
    functions: tuple[OldFunction, ...]
    warnings: tuple[str, ...]

    @property
    def things(self) -> tuple[OldTable | OldFunction, ...]:
        """All of it that stays behind."""
        return (*((self.table,) if self.table else ()), *self.functions)

    @property
    def untagged(self) -> tuple[OldTable | OldFunction, ...]:
        """What does not say yet that it was adopted."""
        from nwchatctl.deploy.adoption import ADOPTED_BY

        return tuple(each for each in self.things if ADOPTED_BY not in each.tags)


def named(app: App, api_id: str, given: Mapping[str, str], *, asks: bool) -> Names:
    """What was given, or is answered, or else the defaults. Raises ChatError, exit 2, for a missing id."""
    from nwchatctl.deploy.adoption import refuse_name
    from nwchatctl.output import prompt

    if not api_id and not asks:
        raise ChatError(
            "which API is it? --api-id is missing",
            hint="give --api-id ID; `aws apigatewayv2 get-apis` lists them",
            code="usage",
            exit_code=Exit.USAGE,
        )
    api_id = api_id or _asked_api(app)
    names = {}
    for thing, default in DEFAULTS.items():
        name = given[thing]
        if not name:
            name = prompt.ask(app.streams, _QUESTIONS[thing], default, _nothing) if asks else default
        refuse_name(name, _FLAGS[thing])
        names[thing] = name
    return Names(api_id, names.pop("table"), names)


def _nothing(answer: str) -> str:
    return ""


def _asked_api(app: App) -> str:
    from nwchatctl.output import prompt

    gateway = app.cloud.gateway
    found = [each for each in gateway.every(app.cloud.names.api) if each.protocol == "WEBSOCKET"]
    if not found:
        raise ChatError(
            f"there is no WebSocket API in account {app.cloud.where.account}, {app.cloud.where.region}",
            hint="give --profile or --region of the account that has it",
            code="api_not_found",
            exit_code=Exit.NOT_FOUND,
        )
    for each in found:
        stages = ", ".join(gateway.stage_names(each.id)) or "none"
        app.say(Line(f"{each.id}  {each.api.display_name}  stages: {stages}"))
    known = {each.id for each in found}
    default = found[0].id if len(found) == 1 else ""
    return prompt.ask(
        app.streams,
        "Id of the API to take over",
        default,
        lambda answer: "" if answer in known else f"{answer or 'nothing'} is none of these ids",
    )


def found_old(app: App, names: Names, table_key: str) -> Old:
    """The old chat. Raises ChatError for what is missing or must not be taken, and boto3's errors.

    What is gone after an adoption is no error.
    """
    from nwchatctl.deploy.adoption import (
        choose_api,
        is_ours,
        missing,
        refuse_key,
        refuse_other_owner,
        require_stage,
    )

    cloud, chat = app.cloud, app.settings.chat.name
    api = choose_api(cloud.gateway.every(cloud.names.api), names.api_id, cloud.names)
    require_stage(app.settings.stage.name, cloud.gateway.stage_names(api.id))
    gone: list[ChatError] = []
    table = cloud.old.table(names.table)
    if table is None:
        gone.append(missing("table", names.table, "--table"))
    functions = []
    for short, name in names.functions.items():
        function = cloud.old.function(name)
        if function is None:
            gone.append(missing("function", name, _FLAGS[short]))
        else:
            functions.append(function)
    if gone and not is_ours(api, cloud.names):
        raise gone[0]
    for each in (*functions, *((table,) if table else ())):
        refuse_other_owner(each, chat)
    if table is not None:
        refuse_key(table, table_key)
    return Old(api, table, tuple(functions), tuple(each.message for each in gone))


# How it reads -----------------------------------------------------------------------------------


def rows_line(
    table: OldTable | None, rows: int | None, copied: Copied | None, *, dry_run: bool
) -> tuple[Line, ...]:
    """What became of the old table's rows."""
    if table is None or dry_run:
        return ()
    if rows is None or copied is None:
        return (Line(f"table {table.name}: every socket in it is closed by now, so no row was looked at"),)
    parts = [f"{copied.copied} taken over", f"{copied.present} there already"]
    if copied.expired:
        parts.append(f"{copied.expired} too old to be connected")
    if copied.unusable:
        parts.append(f"{copied.unusable} without a usable connection id")
    return (Line(f"rows of table {table.name}: {', '.join(parts)}"),)


def left(old: Old, region: str) -> tuple[Line, ...]:
    """What is left behind, and the commands that remove it."""
    from nwchatctl.deploy.adoption import OldTable

    lines = []
    for each in old.things:
        if isinstance(each, OldTable):
            kind, command = "table", ("dynamodb", "delete-table", "--table-name", each.name)
        else:
            kind, command = "function", ("lambda", "delete-function", "--function-name", each.name)
        lines.append(
            Line(f"left: {kind} {each.name}; to remove it: {_aws(*command, region=region)}", Mark.DIM)
        )
    return tuple(lines)


def way_back(api_id: str, stage: str, deployments: tuple[str, ...], region: str) -> tuple[Line, ...]:
    """The command that leads the stage to the old chat again, while its functions and table are there."""
    return tuple(
        Line(
            "the way back: "
            + _aws(
                "apigatewayv2",
                "update-stage",
                *("--api-id", api_id, "--stage-name", stage, "--deployment-id", each),
                region=region,
            ),
            Mark.DIM,
        )
        for each in deployments
    )


def _aws(*words: str, region: str) -> str:
    return shlex.join(("aws", *words, "--region", region))
