"""Files of `history export`: which are opened, which are refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchatctl.errors import ChatError
from nwchatctl.operations.history_files import _opened


def export(path: Path, text: bytes = b"{}\n", *, resume: bool = False) -> None:
    with _opened(path, resume) as file:
        file.seek(0, os.SEEK_END)
        file.write(text)


def refusal(path: Path, *, resume: bool) -> str:
    with pytest.raises(ChatError) as caught:
        export(path, resume=resume)
    assert (caught.value.code, caught.value.exit_code) == ("file_unwritable", 2)
    return caught.value.message


@pytest.fixture(autouse=True)
def umask_zero() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("resume", [False, True])
def test_an_export_is_for_its_owner_alone(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "chat.jsonl"
    export(path, resume=resume)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_file_that_others_may_read_becomes_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.touch(0o644)
    export(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_with_content_is_continued_only_with_resume(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    export(path)
    with pytest.raises(ChatError) as caught:
        export(path)
    assert caught.value.code == "file_exists"
    export(path, resume=True)
    assert path.read_bytes() == b"{}\n{}\n"


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_an_export_does_not_follow_a_link(tmp_path: Path, there: bool, resume: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "chat.jsonl"
    link.symlink_to(target)
    if there:
        target.write_text("")
    assert refusal(link, resume=resume) == f"{link} cannot be written: it is a symbolic link"
    assert not there or target.read_text() == ""
    assert target.exists() == there


@pytest.mark.parametrize("resume", [False, True])
def test_an_export_waits_for_no_fifo(tmp_path: Path, resume: bool) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "fifo", resume=resume).endswith("cannot be written: it is not a regular file")


def test_another_users_export_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chat.jsonl"
    export(path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert refusal(path, resume=True) == f"{path} cannot be written: it belongs to another user"
    assert path.read_bytes() == b"{}\n"
