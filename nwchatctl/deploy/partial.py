"""The part of a plan that `deploy --only` carries out."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.model.storage import Recovery, Table
from nwchatctl.deploy.planner import DOMAIN_KINDS, Plan, split
from nwchatctl.errors import ChatError

_SNAPSHOT_KINDS = ("alias", "version", "deployment", *DOMAIN_KINDS)
"""Kinds that need all earlier changes. Versions and deployments are snapshots: one of an outdated state would
keep it under the name of a good release. And if a domain is deleted without its alias record, a name remains
that points nowhere."""


def limit_plan(plan: Plan, keys: AbstractSet[Key]) -> Plan:
    """The part of `plan` with the changes of `keys`. Raises ChatError `only_incomplete` if it needs a change
    that is left out."""
    left_out = {changed_key(each): each.action for each in plan.changes if changed_key(each) not in keys}
    for key in sorted(keys):
        needed = plan.after[key] & left_out.keys()
        if key[0] == Recovery.kind:
            # It comes last, and needs only its table.
            needed = frozenset(each for each in needed if each[0] == Table.kind)
        missing = sorted(
            {each[0] for each in needed if key[0] in _SNAPSHOT_KINDS or left_out[each] == "create"}
        )
        if missing:
            raise ChatError(
                f"{key[0]} {key[1]} needs what is not there yet, or not as wanted: {', '.join(missing)}",
                hint="deploy without --only, or add " + " ".join(f"--only {each}" for each in missing),
                code="only_incomplete",
            )
    return split(plan, keys)[0]
