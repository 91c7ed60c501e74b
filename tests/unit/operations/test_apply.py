"""What a plan does beside its changes: notices, waits that end, keys of tags."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from nwchatctl.deploy import executor
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.lock import LockState
from nwchatctl.deploy.model.state import state
from nwchatctl.deploy.model.storage import LogGroup, Recovery
from nwchatctl.deploy.planner import plan
from nwchatctl.errors import ChatError
from nwchatctl.operations import apply
from nwchatctl.output.progress import Progress

PLAN = plan(state(LogGroup("g", 30, ()), Recovery("t")), {})


class App:
    """An app whose cloud applies a change by `applies`; what was noted and given up."""

    def __init__(self, applies: Any) -> None:
        self.notes: list[str] = []
        self.given_up = False
        self.tags: list[str] = []
        self.settings = SimpleNamespace(tags={"team": "a", "cost": "b"})
        self.cloud: Any = SimpleNamespace(
            apply=lambda change: applies(self, change),
            recoveries=SimpleNamespace(give_up=self._give_up),
            deploy_table=SimpleNamespace(put_tag_key=self.tags.append),
        )

    def _give_up(self) -> None:
        self.given_up = True

    @contextmanager
    def progress(self, total: int) -> Iterator[Progress]:
        progress = Progress()
        vars(progress)["note"] = self.notes.append
        yield progress


def test_notices_of_running_changes_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_TURN_SECONDS", 0.01)

    def applies(app: App, change: Change) -> None:
        if changed_key(change)[0] == "recovery":
            app.cloud.notify("waiting for AWS")
            deadline = time.monotonic() + 60
            while not app.notes and time.monotonic() < deadline:
                time.sleep(0.01)

    app: Any = App(applies)
    assert apply.carry_out(app, PLAN, lambda: None) == 2
    assert app.notes == ["waiting for AWS"]
    assert not app.given_up


def test_failure_ends_the_wait_for_recovery() -> None:
    def applies(app: App, change: Change) -> None:
        if changed_key(change)[0] == "log-group":
            raise ChatError("no", code="no")
        deadline = time.monotonic() + 60
        while not app.given_up and time.monotonic() < deadline:
            time.sleep(0.01)

    app: Any = App(applies)
    with pytest.raises(ChatError, match="could not create log-group g: no"):
        apply.carry_out(app, PLAN, lambda: None)
    assert app.given_up


def test_keys_of_new_tags_are_recorded_before_any_change(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def locked(*_: object) -> Iterator[Any]:
        yield lambda: None

    monkeypatch.setattr(apply, "locked", locked)
    app: Any = App(lambda app, change: None)
    found: Any = SimpleNamespace(
        live=SimpleNamespace(rows=SimpleNamespace(exists=True, tag_keys={"team"})), plan=PLAN
    )
    with apply.changing(app, found, LockState(), "deploy") as changes:
        assert (app.tags, changes.made) == (["cost"], 0)
