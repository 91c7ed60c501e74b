"""What `deploy` does beside planning and applying: parts of a plan, refusals, and the release afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.deploy.adoption import refuse_unfinished
from nwchatctl.deploy.changes import Create, Delete, Update, changed_key
from nwchatctl.deploy.desired.chat import release_name
from nwchatctl.deploy.domains.facts import ISSUED
from nwchatctl.deploy.model.domains import Certificate
from nwchatctl.deploy.partial import limit_plan
from nwchatctl.deploy.planner import ORDER
from nwchatctl.deploy.releases import running_release
from nwchatctl.deploy.safety import removals

if TYPE_CHECKING:
    from collections.abc import Collection

    from nwchatctl.context import App
    from nwchatctl.deploy.planner import Plan
    from nwchatctl.operations.planning import Planned

KINDS = tuple(ORDER)
"""The kinds of resources, in the order in which they are changed."""


def partial_plan(found: Planned, kinds: Collection[str]) -> Plan:
    """The part of the plan about these kinds. Raises ChatError where it needs what is left out."""
    plan = found.plan
    keys = {changed_key(each) for each in plan.changes if changed_key(each)[0] in kinds}
    if keys and not found.live.rows.exists:
        # Nothing is changed without the table for the lock.
        keys |= {("table", found.cloud.names.deploys)} & plan.after.keys()
    # What moves all that a release is made of makes that release.
    keys |= {where for where in plan.after if where[0] == "release" and set() < plan.after[where] <= keys}
    return limit_plan(plan, keys)


def refuse_unfinished_adoption(app: App, found: Planned) -> None:
    """Raises ChatError where the API was taken over only in part."""
    refuse_unfinished(found.live.state, app.settings.stage.name, found.live.api_id)


def deletion_count(plan: Plan) -> int:
    """How many resources the plan deletes, as its summary counts them; 0 if all of them are outdated ones,
    which nobody is asked about."""
    return sum(isinstance(each, Delete) for each in plan.changes) if removals(plan) else 0


def certificates_to_validate(plan: Plan) -> list[str]:
    """The domain names whose certificates the deploy waits for until ACM has validated them."""
    names = []
    for each in plan.changes:
        match each:
            case Create(Certificate(name=name)):
                names.append(name)
            case Update(Certificate(name=name, status=status)) if status != ISSUED:
                names.append(name)
            case _:
                pass
    return names


def release_after(app: App, found: Planned, plan: Plan) -> str | None:
    """The release that runs after `plan`: the wanted one, unless --only left out what moves to it."""
    moving = {where for where in found.plan.after if where[0] in ("alias", "deployment", "stage", "release")}
    if moving <= plan.after.keys():
        return release_name(found.wanted)
    return running_release(found.live.state, app.settings.stage.name, found.live.rows.records)
