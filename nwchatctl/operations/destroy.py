"""Takes the chat down, and keeps its data unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.consequences import Consequence, consequences_of_destroy, item_count
from nwchatctl.deploy.lock import outdated_plan_error
from nwchatctl.deploy.model.storage import Table
from nwchatctl.deploy.safety import plan_destroy
from nwchatctl.operations.apply import carry_out
from nwchatctl.operations.lock import locked
from nwchatctl.operations.planning import addresses

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.live import Live
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.deploy.planner import Plan


@dataclass(frozen=True)
class Destruction:
    """The changes that take the chat down, what they mean for players and data, and the keys of what they
    leave. `loses_data` is whether a table of the chat's data is among the changes."""

    live: Live
    plan: Plan
    left: tuple[Key, ...]
    loses_data: bool
    consequences: tuple[Consequence, ...] = ()

    @property
    def left_texts(self) -> list[str]:
        """What stays, a line each: `stays: table x (about 57 items)`."""
        tables = {key: each for key, each in self.live.state.items() if isinstance(each, Table)}
        counts = {key: item_count(each) for key, each in tables.items()}
        return [f"stays: {kind} {name}{counts.get((kind, name), '')}" for kind, name in self.left]


def plan_destruction(app: App, *, delete_data: bool, keep_logs: bool) -> Destruction:
    """Reads the chat and plans its removal. Raises boto3's errors."""
    live = app.cloud.read()
    own = app.cloud.names.deploys
    plan, left = plan_destroy(
        live.only_own().state, deploys=own, delete_data=delete_data, keep_logs=keep_logs
    )
    changed = [changed_key(each) for each in plan.changes]
    loses_data = any(kind == "table" and name != own for kind, name in changed)
    means = consequences_of_destroy(plan.changes, live.state, addresses(app, live), own)
    return Destruction(live, plan, left + live.foreign, loses_data, means)


def destroy(app: App, planned: Destruction, lock: LockState) -> int:
    """Makes the changes, under the lock where there is a table for it; returns how many there were.

    Raises as `lock.locked`, and ChatError `changed_meanwhile` if another command makes that table.
    """
    deploys = app.cloud.names.deploys
    if not planned.live.rows.exists and (Table.kind, deploys) not in planned.live.state:
        return carry_out(app, planned.plan, lambda: _refuse_new_table(app))
    if not planned.live.rows.exists:
        # A deploy that has just begun created it, and it cannot be read yet.
        app.cloud.tables.wait(deploys)
    with locked(app, lock, "destroy") as guard:
        return carry_out(app, planned.plan, guard)


def _refuse_new_table(app: App) -> None:
    if app.cloud.deploy_table.read().exists:
        raise outdated_plan_error()
