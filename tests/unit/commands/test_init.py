"""`init` where nobody is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nwchatctl.commands import init
from nwchatctl.errors import ChatError
from tests.unit.subprocesses import nwchatctl


def test_defaults_and_flags(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "--region", "us-east-2", "init", "--yes", "--name", "dojo")
    assert (ran.code, ran.out) == (0, f"wrote {tmp_path}/nwchat.toml\n")
    text = (tmp_path / "nwchat.toml").read_text()
    assert '\nname = "dojo"\n' in text
    assert '\nregion = "us-east-2"\n' in text


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text("# mine\n")
    ran = nwchatctl(tmp_path, "init", "--yes")
    assert ran.code == 2
    assert ran.err == (
        f"error: {tmp_path}/nwchat.toml is there already\n"
        "hint: give --force to overwrite it, or --path FILE to write another\n"
    )
    assert (tmp_path / "nwchat.toml").read_text() == "# mine\n"
    assert nwchatctl(tmp_path, "init", "--yes", "--force").code == 0
    assert "ninjawars" in (tmp_path / "nwchat.toml").read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["nwchat.toml"]
    assert (tmp_path / "nwchat.toml").stat().st_mode & 0o777 == 0o600


def test_file_that_appears_concurrently_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "nwchat.toml"
    target.write_text("# mine\n")
    with pytest.raises(ChatError) as caught:
        init._write(target, "# ours\n", force=False)
    assert caught.value.code == "config_exists"
    assert target.read_text() == "# mine\n"


def test_a_dry_run_prints_the_file(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "init", "--yes", "-n")
    assert (ran.code, list(tmp_path.iterdir())) == (0, [])
    assert '\nname = "ninjawars"\n' in ran.out


def test_another_place(tmp_path: Path) -> None:
    (tmp_path / "in here").mkdir()
    ran = nwchatctl(tmp_path, "init", "--yes", "--path", "in here", "--json")
    assert json.loads(ran.out)["path"] == f"{tmp_path}/in here/nwchat.toml"
    ran = nwchatctl(tmp_path, "init", "--yes", "--path", "no/such/x.toml")
    assert ran.code == 2
    assert ran.err.startswith(
        f"error: {tmp_path}/no/such/x.toml cannot be written: No such file or directory"
    )


def test_a_bad_name(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "init", "--yes", "--name", "Dojo")
    assert ran.code == 2
    assert "chat.name must be 1 to 24 of a-z, 0-9 and -, a letter first, not 'Dojo'" in ran.err


def test_missing_confirmation_is_an_error(tmp_path: Path) -> None:
    ran = nwchatctl(tmp_path, "init")
    assert ran.code == 7
    assert ran.err.splitlines()[1] == "hint: give --yes for the defaults: nwchatctl init --yes --name NAME"
    assert list(tmp_path.iterdir()) == []
