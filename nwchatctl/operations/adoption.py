"""Takes over a chat that was made in the console: finds it, changes it in safe order, copies its rows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.adoption import (
    ADOPTED_BY,
    KEPT_PREFIX,
    CopyCounts,
    FoundApi,
    LegacyFunction,
    LegacyTable,
    choose_api,
    domains_last,
    is_ours,
    kept_deployments,
    not_found_error,
    previous_deployment,
    refuse_key,
    refuse_name,
    refuse_other_owner,
    require_stage,
    rows_expired,
    split_by_rows,
)
from nwchatctl.deploy.model.websocket import Deployment
from nwchatctl.deploy.planner import split
from nwchatctl.errors import ChatError, Exit, usage_error
from nwchatctl.operations.apply import changing
from nwchatctl.operations.lock import refuse_locked
from nwchatctl.operations.planning import (
    Planned,
    chat_identity,
    consequences_of,
    endpoints,
    read_and_plan,
)
from nwchatctl.output import prompt
from nwchatctl.report import Line, counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nwchatctl.context import App
    from nwchatctl.deploy.consequences import Consequence
    from nwchatctl.deploy.lock import LockState

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
class LegacyNames:
    """What the old chat's things are called."""

    api_id: str
    table: str
    functions: Mapping[str, str]
    """connect, disconnect and message → name."""


@dataclass(frozen=True)
class LegacyChat:
    """The old chat as it is. `table` is None, and a function is missing, where it was removed after an
    adoption; `warnings` say so."""

    api: FoundApi
    table: LegacyTable | None
    functions: tuple[LegacyFunction, ...]
    warnings: tuple[str, ...]

    @property
    def leftovers(self) -> tuple[LegacyTable | LegacyFunction, ...]:
        """The resources that are kept and no longer used."""
        return (*self.tables, *self.functions)

    @property
    def tables(self) -> tuple[LegacyTable, ...]:
        """The table, where there is one."""
        return () if self.table is None else (self.table,)

    @property
    def untagged(self) -> tuple[LegacyTable | LegacyFunction, ...]:
        """Those without the tag that says that they were adopted."""
        return tuple(each for each in self.leftovers if ADOPTED_BY not in each.tags)


def legacy_names(app: App, api_id: str, given: Mapping[str, str], *, asks: bool) -> LegacyNames:
    """What was given, or is answered, or else the defaults. Raises ChatError, exit 2, for a missing id."""
    if not api_id and not asks:
        raise usage_error(
            "which API is it? --api-id is missing", "give --api-id ID; `aws apigatewayv2 get-apis` lists them"
        )
    api_id = api_id or _asked_api(app)
    names = {}
    for thing, default in DEFAULTS.items():
        name = given[thing]
        if not name:
            name = prompt.ask(app.streams, _QUESTIONS[thing], default, lambda answer: "") if asks else default
        refuse_name(name, _FLAGS[thing])
        names[thing] = name
    return LegacyNames(api_id, names.pop("table"), names)


def _asked_api(app: App) -> str:
    gateway = app.cloud.websocket_api
    found = [each for each in gateway.list_all(app.cloud.names.api) if each.protocol == "WEBSOCKET"]
    if not found:
        raise ChatError(
            f"there is no WebSocket API in {app.cloud.location.place}",
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


def find_legacy_chat(app: App, names: LegacyNames, table_key: str) -> LegacyChat:
    """The old chat. Raises ChatError for what is missing or must not be taken, and boto3's errors.

    What is gone after an adoption is no error.
    """
    cloud, chat = app.cloud, app.settings.chat.name
    api = choose_api(cloud.websocket_api.list_all(cloud.names.api), names.api_id, cloud.names)
    require_stage(app.settings.stage.name, cloud.websocket_api.stage_names(api.id))
    gone: list[ChatError] = []
    table = cloud.legacy_resources.table(names.table)
    if table is None:
        gone.append(not_found_error("table", names.table, "--table"))
    functions = []
    for short, name in names.functions.items():
        function = cloud.legacy_resources.function(name)
        if function is None:
            gone.append(not_found_error("function", name, _FLAGS[short]))
        else:
            functions.append(function)
    if gone and not is_ours(api, cloud.names):
        raise gone[0]
    for each in (*functions, *((table,) if table else ())):
        refuse_other_owner(each, chat)
    if table is not None:
        refuse_key(table, table_key)
    return LegacyChat(api, table, tuple(functions), tuple(each.message for each in gone))


@dataclass(frozen=True)
class Adoption:
    """One reading of both chats: the old one, and the plan that leads to ours. `served` is AWS's id of the
    deployment that is kept as a way back, "" where the stage serves ours; `rows` is how many the old table
    has, None where none of them is copied any more."""

    found: Planned
    old: LegacyChat
    served: str
    rows: int | None
    lock: LockState

    @property
    def todo(self) -> bool:
        """Whether anything but rows is to be changed."""
        return bool(self.found.plan or self.old.untagged or self.served)


def read_adoption(app: App, old: LegacyChat, *, dry_run: bool) -> Adoption:
    """Reads both chats and plans the adoption. Raises as `read_and_plan` and `refuse_locked`."""
    app.cloud.adopted_api = old.api
    found = read_and_plan(app)
    seen = found.live.rows.lock if dry_run else refuse_locked(app, found.live.rows.lock)
    live, stage = found.live.state, app.settings.stage.name
    served = previous_deployment(live, stage)
    past = not served and rows_expired(
        live, stage, app.cloud.websocket_api.stages.changed_at(stage), app.now_ms()
    )
    rows = None if past or old.table is None else app.cloud.legacy_resources.count(old.table)
    # What the stage served stays, by another name, as a way back.
    kept = split(found.plan, {(Deployment.kind, served)})[1]
    return Adoption(dataclasses.replace(found, plan=kept), old, served, rows, seen)


@dataclass(frozen=True)
class AdoptionOutcome:
    """The chat after an adoption, or before it in a dry run.

    `applied` is how many changes were made, `copied` what became of the rows; `steps` says what is done
    beside the changes, and `way_back` are AWS's ids of the deployments that serve the old chat.
    """

    adoption: Adoption
    applied: int
    copied: CopyCounts | None
    steps: tuple[str, ...]
    way_back: tuple[str, ...]
    chat: dict[str, object]
    endpoints: dict[str, str | None]
    consequences: tuple[Consequence, ...]


def read_outcome(app: App, adoption: Adoption, applied: int, copied: CopyCounts | None) -> AdoptionOutcome:
    """The chat as it is now, without asking AWS again."""
    return AdoptionOutcome(
        adoption,
        applied,
        copied,
        further_steps(app, adoption),
        (adoption.served,) if adoption.served else kept_deployments(adoption.found.live.state),
        chat_identity(app),
        endpoints(app, adoption.old.api.id),
        consequences_of(app, adoption.found),
    )


def further_steps(app: App, adoption: Adoption) -> tuple[str, ...]:
    """What is done beside the changes of the plan, a line each."""
    old, steps = adoption.old, []
    if old.table is not None and adoption.rows is not None:
        steps.append(f"{counted(adoption.rows, 'row')} of table {old.table.name} to be taken over")
    if old.untagged:
        tagged = ", ".join(each.name for each in old.untagged)
        steps.append(f"the tag {ADOPTED_BY}={app.settings.chat.name} on {tagged}")
    if adoption.served:
        steps.append(f"deployment {adoption.served} is kept, to go back to")
    return tuple(steps)


def take_over(app: App, adoption: Adoption) -> tuple[int, CopyCounts | None]:
    """Carries it all out; nothing else here changes anything. How many changes were made, and what became of
    the rows, None where none is to be looked at. Each step is safe to repeat: the next run sees it as done.
    The tags come first, so that a missing permission shows before the chat is touched.
    """
    if not adoption.todo and adoption.rows is None:
        return 0, None
    with changing(app, adoption.found, adoption.lock, "adopt") as changes:
        # Before any change of the API: the stage would follow, and what it serves is the way back.
        chat, names = domains_last(changes.stop_auto_deploy(adoption.found.plan))
        first, last = split_by_rows(chat)
        for each in adoption.old.untagged:
            app.cloud.legacy_resources.tag(each, app.settings.chat.name)
        if adoption.served:
            # Before the API is ours: a deploy that comes between would remove what bears no name.
            app.cloud.websocket_api.deployments.set_name(adoption.served, KEPT_PREFIX + adoption.served)
        changes.carry_out(first)
        copied = copy_rows(app, adoption)
        if last:
            changes.carry_out(last)
            # Once more, for whoever came while the stage moved.
            later = copy_rows(app, adoption)
            copied = copied.with_second_read(later) if copied and later else copied
        if names:
            changes.carry_out(names)
    return changes.made, copied


def copy_rows(app: App, adoption: Adoption) -> CopyCounts | None:
    """Copies the rows of the old table; None where none is copied any more."""
    table = adoption.old.table
    if table is None or adoption.rows is None:
        return None
    with app.bar("rows looked at", adoption.rows) as bar:
        return app.cloud.legacy_resources.copy(table, app.cloud.names.connections, app.now_ms(), bar.update)
