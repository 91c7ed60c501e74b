"""Files that the tool writes: for the owner alone, never through a link, of no other user."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from nwchatctl import private_files
from nwchatctl.private_files import UnsafeFile

Opened = Callable[[Path], BinaryIO]
OPENERS = (private_files.open_existing, private_files.open_to_append)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(opened: Opened, path: Path) -> str:
    with pytest.raises(UnsafeFile) as caught:
        opened(path).close()
    return str(caught.value.strerror)


@pytest.fixture(params=[0, 0o777], ids=["umask 0", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_created_and_replaced_files_have_mode_0600(tmp_path: Path) -> None:
    with private_files.create(tmp_path / "new") as file:
        file.write(b"secret")
    assert mode(tmp_path / "new") == 0o600
    (tmp_path / "open").write_text("")
    (tmp_path / "open").chmod(0o666)
    private_files.replace(tmp_path / "open", lambda file: file.write(b"secret"))
    assert mode(tmp_path / "open") == 0o600
    assert (tmp_path / "open").read_bytes() == b"secret"


def test_an_appended_file_has_mode_0600_under_umask_0(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for text in (b"one", b"two"):
            with private_files.open_to_append(tmp_path / "log") as file:
                file.write(text)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "log"), (tmp_path / "log").read_bytes()) == (0o600, b"onetwo")


@pytest.mark.parametrize("exists", [False, True], ids=["dangling link", "link"])
def test_no_file_is_written_through_a_link(tmp_path: Path, exists: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if exists:
        target.write_text("theirs")
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        private_files.create(link)
    for opened in OPENERS:
        assert refusal(opened, link) == "it is a symbolic link"
    private_files.replace(link, lambda file: file.write(b"mine"))
    assert (link.is_symlink(), link.read_text()) == (False, "mine")
    assert target.exists() == exists
    assert not exists or target.read_text() == "theirs"


def test_a_failed_replacement_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ZeroDivisionError):
        private_files.replace(tmp_path / "file", lambda file: 1 // 0)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("opened", OPENERS)
def test_what_is_no_regular_file_of_ones_own_is_refused(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert refusal(opened, tmp_path / "fifo") == "it is not a regular file"
    assert refusal(opened, Path(os.devnull)) == "it is not a regular file"
    (tmp_path / "file").write_text("")
    os.link(tmp_path / "file", tmp_path / "second")
    assert refusal(opened, tmp_path / "file") == "it has a second name (a hard link)"
    (tmp_path / "second").unlink()
    opened(tmp_path / "file").close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert refusal(opened, tmp_path / "file") == "it belongs to another user"


def test_reading_ends_at_its_limit_and_does_not_wait(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert private_files.read_regular(tmp_path / "link", 5) == b"12345"
    with pytest.raises(UnsafeFile, match="more than 4 bytes"):
        private_files.read_regular(tmp_path / "file", 4)
    os.mkfifo(tmp_path / "fifo")
    for endless in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(UnsafeFile, match="not a regular file"):
            private_files.read_regular(endless, 5)
    with pytest.raises(IsADirectoryError):
        private_files.read_regular(tmp_path, 5)
