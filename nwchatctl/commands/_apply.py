"""Carrying out a plan in front of the operator: progress while it runs, one error if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from nwchatctl.commands._lock import Guard
    from nwchatctl.context import App
    from nwchatctl.deploy.changes import Change
    from nwchatctl.deploy.executor import Outcome
    from nwchatctl.deploy.planner import Plan

_DONE = {"create": "created", "update": "updated", "delete": "deleted"}


def carry_out(app: App, plan: Plan, guard: Guard, *, before: int = 0) -> int:
    """Applies every change of `plan`, on top of `before` that were made already; returns how many there are.

    `guard` is asked before each of them. Raises ChatError after a failure.
    """
    from nwchatctl.aws.patience import hurry
    from nwchatctl.deploy.changes import changed_key
    from nwchatctl.deploy.executor import Watch, execute

    def apply(change: Change) -> None:
        guard()
        app.cloud.apply(change)

    with app.progress(len(plan.changes)) as progress:
        watch = Watch(
            started=lambda change: progress.started(*changed_key(change)),
            ended=lambda change, error: progress.ended(
                *changed_key(change), "failed" if error else _DONE[change.action], ok=error is None
            ),
            interrupted=hurry,
        )
        outcome = execute(plan, apply, watch)
    if outcome.failed:
        raise _failure(outcome, before, len(plan.changes))
    return before + len(outcome.applied)


def _failure(outcome: Outcome, before: int, planned: int) -> Exception:
    """One error out of the first failure; the count says how far it came."""
    from nwchatctl.aws.errors import explained
    from nwchatctl.deploy.changes import changed_key

    first = outcome.failed[0]
    known = first.error if isinstance(first.error, ChatError) else explained(first.error)
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
