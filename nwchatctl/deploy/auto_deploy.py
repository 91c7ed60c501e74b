"""Stages with auto-deploy: it is switched off before anything else is changed. Pure."""

from __future__ import annotations

import dataclasses

from nwchatctl.deploy.changes import Change, Update
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.deploy.planner import Plan


def without_auto_deploy(plan: Plan) -> tuple[tuple[str, ...], Plan]:
    """The names of the stages whose auto-deploy `plan` switches off, and the plan once that is done."""
    stages: list[str] = []
    changes: list[Change] = []
    for change in plan.changes:
        match change:
            case Update(Stage(auto_deploy=True) as before, Stage(auto_deploy=False) as after):
                stages.append(before.name)
                changes.append(Update(dataclasses.replace(before, auto_deploy=False), after))
            case _:
                changes.append(change)
    return tuple(stages), Plan(tuple(changes), plan.after)
