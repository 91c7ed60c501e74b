"""Which lock a destroy takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from nwchatctl.deploy.model.state import state
from nwchatctl.deploy.model.storage import LogGroup, Table
from nwchatctl.deploy.planner import plan
from nwchatctl.errors import ChatError
from nwchatctl.operations import destroy
from nwchatctl.operations.destroy import Destruction

GROUP = LogGroup("g", 30, ())
TABLE = Table("deploys", "id", "", "", True, "PAY_PER_REQUEST", ())


class Done:
    """What a destroy does, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, created_meanwhile: bool = False) -> None:
        self.steps: list[str] = []
        rows = SimpleNamespace(exists=created_meanwhile)
        cloud = SimpleNamespace(
            names=SimpleNamespace(deploys="deploys"),
            tables=SimpleNamespace(wait=lambda name: self.steps.append(f"wait {name}")),
            deploy_table=SimpleNamespace(read=lambda: rows),
        )
        self.app: Any = SimpleNamespace(cloud=cloud)
        monkeypatch.setattr(destroy, "locked", self._locked)
        monkeypatch.setattr(destroy, "carry_out", self._carry_out)

    @contextmanager
    def _locked(self, *_: object) -> Iterator[Callable[[], None]]:
        self.steps.append("lock")
        yield lambda: None

    def _carry_out(self, app: object, changes: object, guard: Callable[[], None]) -> int:
        guard()
        self.steps.append("delete")
        return 1


def planned(*live: Any, exists: bool) -> Any:
    found: Any = SimpleNamespace(state=state(*live), rows=SimpleNamespace(exists=exists))
    return Destruction(found, plan({}, state(GROUP)), (), False)


def test_lock_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(monkeypatch)
    destroy.destroy(done.app, planned(GROUP, TABLE, exists=True), SimpleNamespace())  # type: ignore[arg-type]
    assert done.steps == ["lock", "delete"]


def test_table_that_a_deploy_is_creating_is_awaited_and_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be read yet, and that deploy is about to take the lock."""
    done = Done(monkeypatch)
    destroy.destroy(done.app, planned(GROUP, TABLE, exists=False), SimpleNamespace())  # type: ignore[arg-type]
    assert done.steps == ["wait deploys", "lock", "delete"]


def test_remains_without_a_table_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(monkeypatch)
    destroy.destroy(done.app, planned(GROUP, exists=False), SimpleNamespace())  # type: ignore[arg-type]
    assert done.steps == ["delete"]


def test_nothing_is_deleted_of_a_deploy_that_began_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(monkeypatch, created_meanwhile=True)
    with pytest.raises(ChatError) as caught:
        destroy.destroy(done.app, planned(GROUP, exists=False), SimpleNamespace())  # type: ignore[arg-type]
    assert (caught.value.code, done.steps) == ("changed_meanwhile", [])
