"""App: when a configuration is needed, and where AWS is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from nwchatctl.context import App, GlobalOptions
from nwchatctl.deploy.location import Location
from nwchatctl.errors import ChatError


def app(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], sandbox: bool = False
) -> App:
    monkeypatch.chdir(folder)
    return App(environ=environ, options=GlobalOptions(sandbox=sandbox))


def test_aws_needs_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = app(tmp_path, monkeypatch, {})
    assert made.settings.chat.name == "ninjawars"
    with pytest.raises(ChatError) as caught:
        made.require_config()
    assert (caught.value.code, caught.value.exit_code) == ("config_missing", 3)
    assert caught.value.hint == "run `nwchatctl init`, or give --config FILE"
    with pytest.raises(ChatError) as caught:
        _ = made.aws
    assert caught.value.code == "config_missing"


@pytest.mark.parametrize("environ", [{"NWCHAT_CHAT__NAME": "dojo"}, {"NWCHAT_SANDBOX": "1"}])
def test_variables_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    app(tmp_path, monkeypatch, environ).require_config()


def test_a_file_or_the_sandbox_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app(tmp_path, monkeypatch, {}, sandbox=True).require_config()
    (tmp_path / "nwchat.toml").touch()
    app(tmp_path, monkeypatch, {}).require_config()


def test_settings_reach_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nwchat.toml").write_text('[aws]\nprofile = "chat"\nregion = "us-east-2"\n')
    access = app(tmp_path, monkeypatch, {}).aws.access
    assert (access.profile, access.region, access.endpoint) == ("chat", "us-east-2", "")


def test_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = app(tmp_path, monkeypatch, {"NWCHAT_SANDBOX_DIR": str(tmp_path / "none")}, sandbox=True)
    with pytest.raises(ChatError) as caught:
        _ = made.aws
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_not_running", 3)


@pytest.mark.parametrize(
    ("text", "on"), [("1", True), ("true", True), ("", False), ("0", False), ("no", False)]
)
def test_the_variable_of_the_sandbox(text: str, on: bool) -> None:
    assert App(environ={"NWCHAT_SANDBOX": text}).sandbox is on


def test_a_bad_one() -> None:
    with pytest.raises(ChatError) as caught:
        _ = App(environ={"NWCHAT_SANDBOX": "maybe"}).sandbox
    assert (caught.value.code, caught.value.exit_code) == ("config_invalid", 3)


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ChatError) as caught:
        _ = App(environ={}).settings
    assert (caught.value.code, caught.value.exit_code) == ("no_cwd", 3)


def test_a_mutation_says_which_file_it_goes_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One in a folder above governs everything below it."""
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "dojo"\n')
    below = tmp_path / "below"
    below.mkdir()
    where = SimpleNamespace(location=Location("123456789012", "us-east-2"))
    for folder, environ, file in (
        (below, {}, f", settings {tmp_path / 'nwchat.toml'}"),
        (Path("/"), {"NWCHAT_CHAT__NAME": "dojo"}, ""),
    ):
        made = app(folder, monkeypatch, environ)
        made.__dict__["cloud"] = where
        made.print_target()
        assert (
            capsys.readouterr().err == f"account 123456789012, us-east-2: chat dojo, stage production{file}\n"
        )
