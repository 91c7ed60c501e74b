"""In which order `adopt` does what it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from nwchatctl.deploy.adoption import CopyCounts
from nwchatctl.deploy.changes import Create, changed_key
from nwchatctl.deploy.model.domains import Certificate
from nwchatctl.deploy.model.storage import Table
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.deploy.planner import Plan, arrange
from nwchatctl.operations import adoption

TABLE = Create(Table("t", "id", "", "", False, "PAY_PER_REQUEST", ()))
STAGE = Create(Stage("production", "d", False, 100.0, 200, (), (), ()))
CERTIFICATE = Create(Certificate("c", ("c",), "ISSUED", "Z1", ()))


def test_names_come_after_the_second_copy_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    class Changes:
        made = 3

        def carry_out(self, plan: Plan) -> None:
            done.append([changed_key(each)[0] for each in plan.changes])

    @contextmanager
    def changing(*_: object) -> Iterator[Changes]:
        yield Changes()

    def copy(*_: object) -> CopyCounts:
        done.append("rows")
        return CopyCounts(1)

    monkeypatch.setattr(adoption, "changing", changing)
    monkeypatch.setattr(adoption, "copy_rows", copy)
    found: Any = SimpleNamespace(plan=arrange([TABLE, STAGE, CERTIFICATE]))
    old: Any = SimpleNamespace(untagged=())
    seen: Any = None
    app: Any = None
    made, _ = adoption.take_over(app, adoption.Adoption(found, old, "", 1, seen))
    assert done == [["table"], "rows", ["stage"], "rows", ["certificate"]]
    assert made == 3
