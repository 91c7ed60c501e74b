"""What `sandbox up` says to do next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer

from nwchatctl.commands import sandbox as commands
from nwchatctl.operations import sandbox
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.process import Status


@pytest.mark.parametrize(
    ("key", "started", "notes"),
    [
        (None, True, ("next: nwchatctl --sandbox deploy",)),
        ("key", True, ("next: nwchatctl --sandbox status",)),
        ("key", False, ()),
    ],
)
def test_the_next_command_depends_on_what_is_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    started: bool,
    notes: tuple[str, ...],
) -> None:
    status = Status(
        True, "http://localhost:4566", 1, tmp_path, tmp_path / "keys", tmp_path / "log", RuleValues()
    )
    monkeypatch.setattr(commands, "read_key", lambda _: key)
    monkeypatch.setattr(sandbox, "start", lambda *_: (status, started))
    app = SimpleNamespace(environ={"NWCHAT_SANDBOX_DIR": str(tmp_path)})
    report = commands.up(cast(typer.Context, SimpleNamespace(obj=app)))
    assert report.notes == notes
