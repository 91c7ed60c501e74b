"""Auto-deploy is taken out of a plan, because it ends before all other changes."""

from __future__ import annotations

import dataclasses

from nwchatctl.deploy.auto_deploy import without_auto_deploy
from nwchatctl.deploy.changes import Update
from nwchatctl.deploy.model.state import state
from nwchatctl.deploy.model.websocket import Deployment, Stage
from nwchatctl.deploy.planner import plan

WANTED = Stage("production", "d2", False, 100.0, 200, (), (), ())
LIVE = dataclasses.replace(WANTED, deployment="aws-id", auto_deploy=True)


def test_stage_is_updated_as_if_auto_deploy_were_off() -> None:
    whole = plan(state(WANTED, Deployment("d2")), state(LIVE))
    stages, rest = without_auto_deploy(whole)
    assert stages == ("production",)
    assert rest.after == whole.after
    off = dataclasses.replace(LIVE, auto_deploy=False)
    assert [each for each in rest.changes if isinstance(each, Update)] == [Update(off, WANTED)]


def test_plan_without_auto_deploy_stays() -> None:
    live = dataclasses.replace(LIVE, auto_deploy=False)
    whole = plan(state(WANTED, Deployment("d2")), state(live))
    assert without_auto_deploy(whole) == ((), whole)
