"""Reads the state of the chat: release, connections, bans, dead letters, drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.aws.core.errors import unless_missing
from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.model.storage import Queue
from nwchatctl.deploy.planner import ORDER
from nwchatctl.deploy.releases import running_release
from nwchatctl.deploy.token_switch import stage_requires_token
from nwchatctl.operations.bans import bans_table
from nwchatctl.operations.deployed_api import not_deployed
from nwchatctl.operations.lock import lock_holder_rows
from nwchatctl.operations.planning import (
    Planned,
    account_warnings,
    chat_identity,
    endpoints,
    read_and_plan,
)

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App
    from nwchatctl.deploy.model.state import Key

_STATES = {"create": "missing", "update": "differs", "delete": "not wanted"}


@dataclass(frozen=True)
class ChatStatus:
    """One reading of the chat. `connected`, `banned`, `last_message` and `dead_letters` are None where there
    is no table or queue that has them; `release` is None where several run at once."""

    found: Planned
    chat: dict[str, object]
    settings_file: str | None
    endpoints: dict[str, str | None]
    release: str | None
    requires_token: bool
    connected: int | None
    banned: int | None
    last_message: Message | None
    dead_letters: Queue | None
    lock_rows: list[tuple[str, str]]
    account_warnings: tuple[str, ...]

    @property
    def changed(self) -> dict[Key, str]:
        """The keys of the resources that differ, and how."""
        return {changed_key(each): _STATES[each.action] for each in self.found.plan.changes}

    @property
    def resource_states(self) -> list[tuple[str, str, str]]:
        """Kind, name and state of each resource: `ok`, or one of `_STATES`."""
        # Former versions, deployments and releases are nothing that has a state.
        former, changed = ("version", "deployment", "release"), self.changed
        keys = {key for key in self.found.live.state if key[0] not in former} | set(self.found.wanted)
        listed = sorted(keys, key=lambda key: (ORDER.index(key[0]), key[1]))
        return [(kind, name, changed.get((kind, name), "ok")) for kind, name in listed]


def read_status(app: App) -> ChatStatus:
    """Reads AWS. Raises ChatError `not_deployed`, exit 4, and as `read_and_plan`."""
    found = read_and_plan(app, lenient=True)
    if not found.live.is_partly_deployed:
        raise not_deployed(app, live=found.live)
    connected, banned, last = _activity(app, found)
    queue = found.live.state.get((Queue.kind, found.cloud.names.dead_letters))
    return ChatStatus(
        found=found,
        chat=chat_identity(app),
        settings_file=None if app.loaded.path is None else str(app.loaded.path),
        endpoints=endpoints(app, found.live.api_id),
        release=_running_release(app, found),
        requires_token=stage_requires_token(found.live.state, app.settings.stage.name),
        connected=connected,
        banned=banned,
        last_message=last,
        dead_letters=queue if isinstance(queue, Queue) else None,
        lock_rows=lock_holder_rows(app, found.live.rows.lock),
        account_warnings=account_warnings(app, found),
    )


def _running_release(app: App, found: Planned) -> str | None:
    records = found.live.rows.records
    runs = running_release(found.live.state, app.settings.stage.name, records)
    return runs if runs in {each.release.name for each in records} else None


def _activity(app: App, found: Planned) -> tuple[int | None, int | None, Message | None]:
    """How many are connected, how many bans hold, and the newest message; None where there is no table."""
    names, now_ms = found.cloud.names, app.now_ms()
    connected, banned, last = None, None, None
    # A table that is still being created is not found either.
    if ("table", names.connections) in found.live.state:
        connected = unless_missing(lambda: sum(len(page) for page in app.store.connections(now_ms)))
    if ("table", names.messages) in found.live.state:
        last = unless_missing(lambda: next(iter(app.store.page(1, now_ms).messages), None))
        banned = unless_missing(lambda: sum(each.is_active(now_ms) for each in bans_table(app).all()))
    return connected, banned, last
