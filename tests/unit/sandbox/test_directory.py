"""A directory is a sandbox's or is left as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import directory, file_lock, process, state
from nwchatctl.sandbox.directory import MARKER
from nwchatctl.sandbox.state import AccessKey, SandboxPaths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content(root: Path) -> dict[str, bytes | None]:
    """All that is in a directory, with the bytes of its files."""
    return {
        str(each.relative_to(root)): each.read_bytes() if each.is_file() else None for each in root.rglob("*")
    }


def make_unmarked(root: Path) -> None:
    """What an earlier version left, which had no marker."""
    root.mkdir(mode=0o700)
    for name in directory.LOCKS:
        (root / name).touch()
    (root / "credentials.json").write_text('{"access_key_id": "AKIA1", "secret_access_key": "s"}')
    (root / "server.jsonab_d1x9z").touch()
    (root / "data").mkdir()


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A directory of the same user with folders that a sandbox would delete."""
    root = tmp_path / "project"
    for name in ("data", "tmp", "src"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("kept")
    (root / "credentials.json").write_text("{}")
    root.chmod(0o755)
    return root


def refused(root: Path) -> str:
    with pytest.raises(ChatError) as caught:
        directory.claim(root)
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_dir", Exit.CONFIG)
    assert caught.value.hint == "set NWCHAT_SANDBOX_DIR to an empty directory of your own"
    assert not directory.is_own(root)
    return caught.value.message


def test_new_and_empty_directories_are_claimed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    for root in (tmp_path / "a" / "b", tmp_path / "empty"):
        assert not directory.check(root)
        directory.claim(root)
        directory.claim(root)
        assert directory.check(root)
        assert (mode(root), mode(root / MARKER)) == (0o700, 0o600)
        assert [each.name for each in root.iterdir()] == [MARKER]


def test_foreign_directory_is_left_as_it_is(foreign: Path) -> None:
    before = content(foreign)
    assert refused(foreign) == f"{foreign} is not the directory of a sandbox: it has other files"
    place = SandboxPaths(foreign)
    for command in (process.up, process.down, process.reset):
        with pytest.raises(ChatError) as caught:
            command(place)
        assert caught.value.code == "sandbox_dir"
    with pytest.raises(ChatError):
        directory.delete(foreign, "data", "tmp", "credentials.json")
    assert not process.status(place).running
    assert (content(foreign), mode(foreign)) == (before, 0o755)


def test_files_of_a_foreign_directory_are_not_read(foreign: Path) -> None:
    place = SandboxPaths(foreign)
    state.write_json(place.info, {"pid": 1, "port": 4566, "region": "us-east-2"})
    with file_lock.exclusive(place.server_lock, timeout=0.0):
        assert state.running(place) is None


@pytest.mark.parametrize("name", ["notes.txt", "server.jsonab_d1x9", "DATA"])
def test_unmarked_directory_with_any_other_file_is_foreign(tmp_path: Path, name: str) -> None:
    root = tmp_path / "it"
    make_unmarked(root)
    assert directory.is_own(root)
    (root / name).touch()
    refused(root)
    assert not (root / MARKER).exists()


@pytest.mark.parametrize("change", ["no lock", "lock with text", "lock is a link", "mode"])
def test_unmarked_directory_that_no_sandbox_made_is_foreign(tmp_path: Path, change: str) -> None:
    root = tmp_path / "it"
    make_unmarked(root)
    lock = root / "server.lock"
    match change:
        case "no lock":
            lock.unlink()
        case "lock with text":
            lock.write_text("poetry")
        case "lock is a link":
            lock.unlink()
            lock.symlink_to("control.lock")
        case _:
            root.chmod(0o755)
    refused(root)


def test_directory_of_an_earlier_version_is_marked_and_keeps_its_state(tmp_path: Path) -> None:
    root = tmp_path / "it"
    make_unmarked(root)
    place = SandboxPaths(root)
    assert not directory.is_own(tmp_path)
    place.make()
    assert (root / MARKER).is_file()
    assert state.read_key(place) == AccessKey("AKIA1", "s")
    new = state.ensure_root(place)
    assert state.ensure_root(place) == new == state.read_root(place)
    assert state.read_key(place) == AccessKey("AKIA1", "s")


def test_root_keys_are_random_and_shown_nowhere(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        place = SandboxPaths(tmp_path / name)
        place.make()
        keys.append(state.ensure_root(place))
        assert mode(place.credentials) == 0o600
    assert keys[0].access_key_id != keys[1].access_key_id
    assert keys[0].secret_access_key != keys[1].secret_access_key
    assert len(keys[0].access_key_id) == 20
    assert len(keys[0].secret_access_key) == 40
    assert keys[0].secret_access_key not in repr(keys[0])


def test_a_file_that_appears_during_the_claim_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, opened = tmp_path / "it", os.open

    def open_after_another(path: str, *args: int, **options: int) -> int:
        if path == MARKER:
            (root / "theirs").touch()
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", open_after_another)
    refused(root)
    assert [each.name for each in root.iterdir()] == ["theirs"]


def test_marker_that_is_a_link_or_another_users_is_no_marker(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").touch()
    (foreign / MARKER).symlink_to(tmp_path / "mine")
    refused(foreign)
    root = tmp_path / "it"
    directory.claim(root)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert refused(root) == f"the sandbox directory {root} belongs to another user"


def test_delete_follows_no_links(tmp_path: Path, foreign: Path) -> None:
    root, before = tmp_path / "it", content(foreign)
    directory.claim(root)
    (root / "tmp").mkdir()
    (root / "tmp" / "inside").symlink_to(foreign)
    (root / "data").symlink_to(foreign)
    assert "data is a symbolic link" in refused_although_marked(root)
    directory.delete(root, "tmp", "data", "missing")
    assert [each.name for each in root.iterdir()] == [MARKER]
    assert content(foreign) == before


def refused_although_marked(root: Path) -> str:
    with pytest.raises(ChatError) as caught:
        directory.claim(root)
    return caught.value.message


def test_directory_that_was_swapped_for_a_link_is_not_deleted_from(tmp_path: Path, foreign: Path) -> None:
    root, before = tmp_path / "it", content(foreign)
    directory.claim(root)
    root.rename(tmp_path / "moved")
    root.symlink_to(foreign)
    with pytest.raises(ChatError):
        directory.delete(root, "data", "tmp")
    with pytest.raises(ChatError):
        process.reset(SandboxPaths(root))
    assert (content(foreign), mode(foreign)) == (before, 0o755)


def test_directory_that_another_command_claims_meanwhile_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, list_directory = tmp_path / "it", os.listdir
    root.mkdir()

    def listed_after_another_claim(opened: int) -> list[str]:
        monkeypatch.setattr(os, "listdir", list_directory)
        directory.claim(root)
        (root / "server.json").write_text("{}")
        return list_directory(opened)

    monkeypatch.setattr(os, "listdir", listed_after_another_claim)
    directory.claim(root)
    assert directory.is_own(root)
