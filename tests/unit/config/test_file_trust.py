"""A nwchat.toml that was found is used only when no other user can have written it."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from nwchatctl.config import file_trust, load
from nwchatctl.errors import ChatError
from tests.unit.subprocesses import nwchatctl

OTHER = 54321
"""A user and group id that nobody has."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chats" / "nwchat.toml"
    path.parent.mkdir()
    path.write_text('[chat]\nname = "found"\n')
    path.chmod(0o644)
    path.parent.chmod(0o755)
    return path


def refusal(cwd: Path) -> str:
    with pytest.raises(ChatError) as caught:
        load(None, cwd=cwd, environ={}, flags={})
    error = caught.value
    assert (error.code, error.exit_code) == ("config_untrusted", 3)
    assert error.hint.startswith("make it yours alone (chown, chmod go-w), or trust it by name: --config ")
    return error.message


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes another user the owner; where only root could, makes this process another user."""
    if os.geteuid() == 0:
        os.chown(path, OTHER, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)


def test_own_file_is_used_and_belongs_to_the_owner_alone(file: Path) -> None:
    below = file.parent / "a" / "b"
    below.mkdir(parents=True)
    assert load(None, cwd=below, environ={}, flags={}).settings.chat.name == "found"


def test_another_users_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(file, monkeypatch)
    assert refusal(file.parent) == f"{file} is not used: {file} belongs to another user"


def test_another_users_directory_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(file.parent, monkeypatch)
    assert refusal(file.parent).endswith("belongs to another user")


@pytest.mark.parametrize(("mode", "who"), [(0o646, "every user"), (0o664, "other users of its group")])
def test_a_file_that_others_can_write_is_refused(
    file: Path, mode: int, who: str, foreign_group: None
) -> None:
    file.chmod(mode)
    assert refusal(file.parent) == f"{file} is not used: {file} can be written by {who}"


@pytest.mark.parametrize(("mode", "who"), [(0o757, "every user"), (0o775, "other users of its group")])
def test_a_directory_that_others_can_write_is_refused(
    file: Path, mode: int, who: str, foreign_group: None
) -> None:
    file.parent.chmod(mode)
    below = file.parent / "mine"
    below.mkdir(mode=0o700)
    assert refusal(below) == f"{file} is not used: {file.parent} can be written by {who}"


def test_a_directory_further_up_counts_as_well(file: Path) -> None:
    file.parent.parent.chmod(0o777)
    assert refusal(file.parent) == f"{file} is not used: {file.parent.parent} can be written by every user"


def test_own_file_in_a_sticky_directory_is_used(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert load(None, cwd=file.parent, environ={}, flags={}).settings.chat.name == "found"


def test_another_users_file_in_a_sticky_directory_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.chmod(0o1777)
    give_away(file, monkeypatch)
    assert refusal(file.parent).endswith("belongs to another user")


def test_a_link_is_followed_to_what_others_can_write(file: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir(mode=0o755)
    (tmp_path / "project" / "nwchat.toml").symlink_to(file)
    file.parent.chmod(0o777)
    assert refusal(tmp_path / "project").endswith(f"{file.parent} can be written by every user")


def test_named_file_is_used_whoever_owns_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o666)
    give_away(file, monkeypatch)
    by_flag = load(file, cwd=file.parent, environ={}, flags={})
    by_variable = load(None, cwd=file.parent, environ={"NWCHAT_CONFIG": "nwchat.toml"}, flags={})
    assert by_flag.settings == by_variable.settings
    assert by_flag.settings.chat.name == "found"


def test_group_of_the_user_alone_may_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the umask 002 of most Linux distributions, which give each user a group."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    own = grp.struct_group((user, "x", OTHER, []))
    monkeypatch.setattr(file_trust, "ROOT", -1)
    monkeypatch.setattr(grp, "getgrgid", lambda group: own)
    assert file_trust._is_own_group(OTHER)
    for another in (
        ("staff", "x", OTHER, []),
        (user, "x", OTHER, ["eve"]),
        (user, "x", OTHER, [user, "eve"]),
    ):
        monkeypatch.setattr(grp, "getgrgid", lambda group, found=another: grp.struct_group(found))
        assert not file_trust._is_own_group(OTHER)


@pytest.fixture
def foreign_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_trust, "_is_own_group", lambda group: False)


@pytest.mark.parametrize("command", [("config", "show"), ("config", "path"), ("plan",)])
def test_commands_say_what_to_do(file: Path, command: tuple[str, ...]) -> None:
    file.chmod(0o666)
    ran = nwchatctl(file.parent, *command)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: {file} is not used: {file} can be written by every user\n"
        f"hint: make it yours alone (chown, chmod go-w), or trust it by name: --config {file}\n"
    )


@pytest.mark.parametrize("special", ["/dev/zero", "fifo"])
def test_named_special_file_does_not_hang(tmp_path: Path, special: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    ran = nwchatctl(tmp_path, "--config", special, "config", "show")
    assert (ran.code, ran.out) == (3, "")
    assert "cannot be read: it is not a regular file\n" in ran.err


def test_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "nwchat.toml").open("wb") as file:
        file.truncate(2**32)
    ran = nwchatctl(tmp_path, "config", "show")
    assert ran.code == 3
    assert "cannot be read: it has more than 1048576 bytes\n" in ran.err
