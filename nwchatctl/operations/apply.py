"""Applies a plan: progress while it runs, one error if it fails."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.core.retry import stop_retrying
from nwchatctl.deploy.auto_deploy import without_auto_deploy
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.executor import ExecutionResult, Observer, execute
from nwchatctl.deploy.planner import Plan, split
from nwchatctl.errors import ChatError
from nwchatctl.operations.aws_errors import error_context
from nwchatctl.operations.lock import Guard, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nwchatctl.context import App
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.operations.planning import Planned

_DONE = {"create": "created", "update": "updated", "delete": "deleted"}


@dataclass
class Changes:
    """The changes that are made under one lock; `made` is how many so far."""

    app: App
    guard: Guard
    made: int
    elsewhere: frozenset[Key]
    """What was made before the lock could be taken, and stands in plans as if it were still to be made."""

    def stop_auto_deploy(self, plan: Plan) -> Plan:
        """Switches auto-deploy off where `plan` does; returns what is left of the plan."""
        return stop_auto_deploy(self.app, plan, self.guard)

    def carry_out(self, plan: Plan) -> None:
        """Applies every change of `plan`. Raises ChatError after a failure."""
        self.made = carry_out(self.app, split(plan, self.elsewhere)[1], self.guard, before=self.made)


@contextmanager
def changing(app: App, found: Planned, seen: LockState, command: str) -> Iterator[Changes]:
    """Within, this process holds the lock, and the table for it exists.

    Raises as `lock.locked`.
    """
    own = frozenset() if found.live.rows.exists else frozenset({("table", found.cloud.names.deploys)})
    made = carry_out(app, split(found.plan, own)[0], lambda: None) if own else 0
    if own and not made:
        # It exists and cannot be read yet: a deploy that died a moment ago made it, and it is still CREATING.
        found.cloud.tables.wait(found.cloud.names.deploys)
    with locked(app, seen, command) as guard:
        for name in sorted(app.settings.tags.keys() - found.live.rows.tag_keys):
            app.cloud.deploy_table.put_tag_key(name)
        yield Changes(app, guard, made, own)


def carry_out(app: App, plan: Plan, guard: Guard, *, before: int = 0) -> int:
    """Applies every change of `plan`, on top of `before` that were made already; returns how many there are.

    `guard` is asked before each of them. Raises ChatError after a failure.
    """
    if not plan:
        return before
    plan = stop_auto_deploy(app, plan, guard)

    def apply(change: Change) -> None:
        guard()
        app.cloud.apply(change)

    notices: SimpleQueue[str] = SimpleQueue()
    app.cloud.notify = notices.put
    with app.progress(len(plan.changes)) as progress:

        def ended(change: Change, error: Exception | None) -> None:
            progress.ended(
                *changed_key(change), "failed" if error else _DONE[change.action], ok=error is None
            )
            if error is not None:
                # Nothing else waits for minutes.
                app.cloud.recoveries.give_up()

        def say_notices() -> None:
            while not notices.empty():
                progress.note(notices.get())

        watch = Observer(
            started=lambda change: progress.started(*changed_key(change)),
            ended=ended,
            interrupted=stop_retrying,
            waiting=say_notices,
        )
        outcome = execute(plan, apply, watch)
    if outcome.failed:
        raise _failure(app, outcome, before, len(plan.changes))
    return before + len(outcome.applied)


def stop_auto_deploy(app: App, plan: Plan, guard: Guard) -> Plan:
    """Switches auto-deploy off where `plan` does; returns what is left of the plan.

    First of all: a stage with auto-deploy would serve each change of a route at once, one by one.
    """
    stages, rest = without_auto_deploy(plan)
    for name in stages:
        guard()
        app.cloud.websocket_api.stages.stop_auto_deploy(name)
    return rest


def _failure(app: App, outcome: ExecutionResult, before: int, planned: int) -> Exception:
    """One error out of the first failure; the count says how far it came."""
    first = outcome.failed[0]
    known = (
        first.error if isinstance(first.error, ChatError) else to_chat_error(first.error, error_context(app))
    )
    if known is None:
        return first.error
    kind, name = changed_key(first.change)
    again = "what was made stays: run the command again to go on from there"
    return ChatError(
        f"could not {first.change.action} {kind} {name}: {known.message} "
        f"({before + len(outcome.applied)} of {before + planned} changes were made)",
        hint=f"{known.hint}; {again}" if known.hint else again,
        code=known.code,
        exit_code=known.exit_code,
    )
