"""Lists the releases of the chat, and moves it back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.consequences import Consequence, opening
from nwchatctl.deploy.planner import arrange, differences
from nwchatctl.deploy.releases import (
    ReleaseEntry,
    entries,
    find_release,
    previous_release,
    refuse_larger_release,
    running_release,
    state_after_rollback,
)
from nwchatctl.deploy.token_switch import auth_transition, requires_token, stage_requires_token
from nwchatctl.operations.apply import carry_out
from nwchatctl.operations.deployed_api import not_deployed
from nwchatctl.operations.lock import locked, refuse_locked, release_lock

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.live import Live
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.release import Release
    from nwchatctl.deploy.planner import Plan


def list_releases(app: App, limit: int) -> list[ReleaseEntry]:
    """At most `limit` releases, newest first. Raises ChatError `not_deployed`, exit 4."""
    app.cloud.reads_domains = False
    live = app.cloud.read()
    if not live.api_id:
        raise not_deployed(app, live=live)
    return entries(live.rows.records, live.state, app.settings.stage.name)[:limit]


@dataclass(frozen=True)
class Rollback:
    """The release to go back to, the changes that lead there, and what they mean for players."""

    target: Release
    plan: Plan
    consequences: tuple[Consequence, ...]
    lock: LockState


def plan_rollback(app: App, name: str, *, dry_run: bool) -> Rollback:
    """The way back to release `name`, or to the one before where that is "". Raises ChatError."""
    live = app.cloud.read()
    if not live.api_id:
        raise not_deployed(app, live=live)
    lock = live.rows.lock if dry_run else refuse_locked(app, live.rows.lock)
    target = _target(app, live, name, lock)
    wanted = state_after_rollback(live.state, target, app.settings.stage.name)
    refuse_larger_release(wanted, app.settings.stage.name, live.rows.records, target)
    plan = arrange(differences(wanted, live.state), auth_transition(wanted, live.state))
    # Whether the release asks for no token, in a chat that does or is configured to.
    opens = not requires_token(target) and (
        app.settings.auth.mode == "token" or stage_requires_token(live.state, app.settings.stage.name)
    )
    means = (opening(f"release {target.name}"),) if plan and opens else ()
    return Rollback(target, plan, means, lock)


def roll_back(app: App, rollback: Rollback) -> int:
    """Makes the changes under the lock; returns how many there were."""
    if not rollback.plan:
        release_lock(app, rollback.lock)
        return 0
    with locked(app, rollback.lock, "rollback", rollback.target.name) as guard:
        return carry_out(app, rollback.plan, guard)


def _target(app: App, live: Live, name: str, lock: LockState) -> Release:
    """The release that is meant. Without a name a rollback that died half-way is resumed: what runs then is
    neither the one release nor the other."""
    records = live.rows.records
    if name:
        return find_release(records, name)
    if lock.holder is not None and lock.holder.target:
        return find_release(records, lock.holder.target)
    return previous_release(records, running_release(live.state, app.settings.stage.name, records))
