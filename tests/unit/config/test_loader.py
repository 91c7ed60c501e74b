"""config.load: precedence, origins, and every way of being wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nwchatctl.config import LoadedSettings, load
from nwchatctl.errors import ChatError


def loaded(
    folder: Path,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> LoadedSettings:
    if text is not None:
        (folder / "nwchat.toml").write_text(text, encoding="utf-8")
    return load(None, cwd=folder, environ=environ or {}, flags=flags or {})


def refused(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None) -> ChatError:
    with pytest.raises(ChatError) as caught:
        loaded(folder, text, environ)
    assert caught.value.exit_code == 3
    assert caught.value.hint
    return caught.value


def test_defaults_without_anything(tmp_path: Path) -> None:
    got = loaded(tmp_path)
    assert (got.settings.chat.name, got.settings.stage.throttle_rate) == ("ninjawars", 100.0)
    assert got.settings.chat.allowed_origins == ()
    assert got.path is None
    assert set(got.origins.values()) == {"default"}
    assert "tags" in got.origins


def test_precedence_and_origins(tmp_path: Path) -> None:
    got = loaded(
        tmp_path,
        '[aws]\nregion = "eu-west-1"\nprofile = "file"\n[stage]\nthrottle_rate = 20\nthrottle_burst = 7\n',
        {"NWCHAT_STAGE__THROTTLE_RATE": "30.5", "NWCHAT_AWS__REGION": "us-east-1"},
        {"aws.region": "us-east-2"},
    )
    assert (got.settings.aws.region, got.settings.aws.profile) == ("us-east-2", "file")
    assert (got.settings.stage.throttle_rate, got.settings.stage.throttle_burst) == (30.5, 7)
    file = f"file {tmp_path / 'nwchat.toml'}"
    assert got.origins["aws.region"] == "flag --region"
    assert got.origins["aws.profile"] == file
    assert got.origins["stage.throttle_rate"] == "env NWCHAT_STAGE__THROTTLE_RATE"
    assert got.origins["stage.throttle_burst"] == file
    assert got.origins["chat.name"] == "default"


def test_the_file_of_a_parent_folder(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "above"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert loaded(below).settings.chat.name == "above"
    (below / "nwchat.toml").mkdir()
    assert loaded(below).settings.chat.name == "above"
    (tmp_path / "a" / "nwchat.toml").write_text('[chat]\nname = "nearer"\n')
    assert loaded(below).settings.chat.name == "nearer"


def test_a_named_file_goes_before_the_one_that_is_here(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "here"\n')
    (tmp_path / "other.toml").write_text('[chat]\nname = "other"\n')
    (tmp_path / "third.toml").write_text('[chat]\nname = "third"\n')
    environ = {"NWCHAT_CONFIG": "other.toml"}
    assert load(None, cwd=tmp_path, environ=environ, flags={}).settings.chat.name == "other"
    flagged = load(Path("third.toml"), cwd=tmp_path, environ=environ, flags={})
    assert (flagged.settings.chat.name, flagged.path) == ("third", tmp_path / "third.toml")


def test_variables_become_what_their_settings_are(tmp_path: Path) -> None:
    got = loaded(
        tmp_path,
        None,
        {
            "NWCHAT_CHAT__ECHO_TO_SENDER": "No",
            "NWCHAT_CHAT__ALLOWED_ORIGINS": "https://a.example, https://b.example:8443",
            "NWCHAT_FUNCTIONS__MEMORY_MB": "512",
            "NWCHAT_TAGS__costCentre": "42",
            "NWCHAT_SANDBOX": "1",
            "NWCHAT_SANDBOX_DIR": "/tmp/x",
            "OTHER_VARIABLE": "ignored",
        },
    ).settings
    assert got.chat.echo_to_sender is False
    assert got.chat.allowed_origins == ("https://a.example", "https://b.example:8443")
    assert got.functions.memory_mb == 512
    assert got.tags == {"costCentre": "42"}


def test_a_variable_in_capitals_sets_the_tag_of_the_file(tmp_path: Path) -> None:
    got = loaded(tmp_path, '[tags]\nteam = "a"\n', {"NWCHAT_TAGS__TEAM": "c", "NWCHAT_TAGS__NEW": "d"})
    assert got.settings.tags == {"team": "c", "NEW": "d"}


def test_tags_are_merged_key_by_key(tmp_path: Path) -> None:
    got = loaded(tmp_path, '[tags]\nteam = "a"\nowner = "b"\n', {"NWCHAT_TAGS__team": "c"})
    assert got.settings.tags == {"team": "c", "owner": "b"}
    assert got.origins["tags.team"] == "env NWCHAT_TAGS__team"
    assert got.origins["tags.owner"] == f"file {tmp_path / 'nwchat.toml'}"
    assert "tags" not in got.origins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[chat]\n\nnmae = "x"\n', ":3: unknown key chat.nmae, did you mean name?"),
        ("[stge]\nname = 1\n", ":1: unknown section [stge], did you mean [stage]?"),
        ("throttle_rate = 1\n", ":1: unknown key throttle_rate, did you mean stage.throttle_rate?"),
        (
            "[chat]\nmemory_mb = 1\n",
            ":2: unknown key chat.memory_mb, did you mean functions.memory_mb or fanout.memory_mb?",
        ),
        (
            "[zzz]\n",
            "unknown section [zzz]; "
            "there are aws, chat, stage, functions, sending, fanout, domain, history, auth, logs, tables, "
            "tags",
        ),
        ("chat.nmae = 1\n", ":1: unknown key chat.nmae, did you mean name?"),
    ],
)
def test_unknown_keys_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    error = refused(tmp_path, text)
    assert error.code == "config_unknown_key"
    assert message in error.message
    assert str(tmp_path / "nwchat.toml") in error.message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NWCHAT_STAGE__THROTTLE_RAET", "NWCHAT_STAGE__THROTTLE_RATE"),
        ("NWCHAT_STAGE_NAME", "NWCHAT_STAGE__NAME"),
        ("NWCHAT_CHAT", "NWCHAT_CHAT__NAME"),
        ("NWCHAT_SANDBOX_DIRR", "NWCHAT_SANDBOX_DIR"),
        ("NWCHAT_QQQQ", None),
    ],
)
def test_unknown_variables(tmp_path: Path, name: str, meant: str | None) -> None:
    error = refused(tmp_path, None, {name: "hunter2"})
    assert error.code == "config_unknown_key"
    assert error.message == f"unknown variable {name}" + (f", did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stage]\nthrottle_rate = 0\n", ":2: stage.throttle_rate must be more than 0, not 0"),
        ("[stage]\nthrottle_rate = inf\n", ":2: stage.throttle_rate must be a finite number, not inf"),
        ('[chat]\nrate_messages = "10"\n', ":2: chat.rate_messages must be a whole number, not '10'"),
        ("[chat]\nrate_messages = true\n", "chat.rate_messages must be a whole number, not true"),
        ("[chat]\nrate_messages = 1.0\n", "chat.rate_messages must be a whole number, not 1.0"),
        ("[chat]\necho_to_sender = 1\n", "chat.echo_to_sender must be true or false, not 1"),
        (
            '[chat]\nname = "Ninja"\n',
            "chat.name must be 1 to 24 of a-z, 0-9 and -, a letter first, not 'Ninja'",
        ),
        ('[chat]\nname = "a\\n"\n', "chat.name must be 1 to 24"),
        (f'[chat]\nname = "{"a" * 25}"\n', "chat.name must be 1 to 24"),
        ("[chat]\nmax_message_chars = 8001\n", "chat.max_message_chars must be 8000 or less, not 8001"),
        ("[chat]\nmax_uname_chars = 0\n", "chat.max_uname_chars must be 1 or more, not 0"),
        ("[chat]\nsender_messages = 9\n", "chat.sender_messages must be 10 or more, not 9"),
        ("[chat]\naddress_connections = 1001\n", "chat.address_connections must be 1000 or less"),
        ('[chat]\nreserved_names = ["a,b"]\n', "chat.reserved_names must be 1 to 40 printable"),
        ('[chat]\nreserved_names = [" a"]\n', "chat.reserved_names must be 1 to 40 printable"),
        ("[stage]\nping_rate = -1\n", ":2: stage.ping_rate must be 0 or more, not -1"),
        ('[chat]\nallowed_origins = "https://a.b"\n', "chat.allowed_origins must be a list of texts"),
        ('[chat]\nallowed_origins = ["https://a.b/"]\n', "chat.allowed_origins must be an origin"),
        ('[functions]\nruntime = "python3.10"\n', "functions.runtime must be 'python3.11', 'python3.12'"),
        ("[functions]\ntimeout_seconds = 30\n", "functions.timeout_seconds must be 29 or less, not 30"),
        ("[logs]\nretention_days = 2\n", "logs.retention_days must be one of 1, 3, 5, 7"),
        ("[tables]\nretention_days = 3651\n", "tables.retention_days must be 3650 or less"),
        (
            "[sending]\naccount_rate = 5\nreserve_rate = 5\n",
            ":3: sending.reserve_rate must be less than sending.account_rate",
        ),
        ("[fanout]\ntimeout_seconds = 901\n", ":2: fanout.timeout_seconds must be 900 or less, not 901"),
        ("[sending]\naccount_rate = 0\n", "sending.account_rate must be 1 or more, not 0"),
        ('[stage]\nname = "a b"\n', "stage.name must be 1 to 128 letters"),
        ('[tags]\n"aws:x" = "y"\n', ":2: tags.aws:x must have a key that begins with neither"),
        ('[tags]\n"" = "y"\n', "tags. must have a key of 1 to 128 characters"),
        ('[tags]\nTeam = "a"\nteam = "b"\n', ":3: tags.team must differ from Team by more than case"),
        ('[tags]\nteam = "a"\nclan = "?"\n', ":3: tags.clan must be made of letters"),
        (
            '[domain]\nname = "a.example"\n[history]\ndomain = "a.example"\n',
            ":4: history.domain must be another name than domain.name",
        ),
        (
            '[functions]\nruntime = "python3.11"\nsnap_start = true\n',
            ":3: functions.snap_start needs functions.runtime python3.12",
        ),
        ("[chat]\nrate_messages = 1000001\n", ":2: chat.rate_messages must be 1000000 or less"),
        ("[chat]\nrate_seconds = 1000001\n", ":2: chat.rate_seconds must be 1000000 or less"),
        ("[chat]\nsender_messages = 1000001\n", ":2: chat.sender_messages must be 1000000 or less"),
        ("[stage]\nthrottle_rate = 1e9\n", ":2: stage.throttle_rate must be 1000000 or less"),
        ("[stage]\nthrottle_burst = 9999999\n", ":2: stage.throttle_burst must be 1000000 or less"),
        ("[history]\nrequest_rate = 1e9\n", ":2: history.request_rate must be 1000000 or less"),
        ("[sending]\naccount_rate = 2000000\n", ":2: sending.account_rate must be 1000000 or less"),
        ("[fanout]\nsegment_size = 2000000\n", ":2: fanout.segment_size must be 1000000 or less"),
        (
            "[fanout]\nreserved_concurrency = 9999999\n",
            ":2: fanout.reserved_concurrency must be 1 to 1000000",
        ),
        (f"[chat]\nrate_messages = 0x{'f' * 5000}\n", "1000000 or less, not a number of so many digits"),
        ("[chat]\nrate_messages = [true, 1979-05-27]\n", "a whole number, not [true, 1979-05-27]"),
        ("[tags]\nteam = 1\n", ":2: tags.team must be text in quotes, not 1"),
        ("chat = 1\n", ":1: chat must be a table, [chat]"),
    ],
)
def test_bad_values_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    error = refused(tmp_path, text)
    assert error.code == "config_invalid"
    assert message in error.message


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, None, {"NWCHAT_STAGE__THROTTLE_BURST": "many"})
    assert error.code == "config_invalid"
    assert error.message == (
        "NWCHAT_STAGE__THROTTLE_BURST: stage.throttle_burst must be a whole number, not 'many'"
    )


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    error = refused(
        tmp_path, "[chat]\nnmae = 1\nrate_seconds = 0\n[stage]\nthrottle_rate = -1\n", {"NWCHAT_CHAT": "x"}
    )
    assert error.code == "config_unknown_key"
    for message in (
        "chat.nmae",
        "NWCHAT_CHAT__NAME",
        "chat.rate_seconds must be 1",
        "stage.throttle_rate must",
    ):
        assert message in error.message
    assert error.message.count("; ") == 3


def test_what_looks_like_a_secret_is_never_repeated(tmp_path: Path) -> None:
    error = refused(tmp_path, '[aws]\nsecret_access_key = "hunter2"\n[tags]\napi_token = 7654321\n')
    assert "aws.secret_access_key" in error.message
    assert "tags.api_token must be text in quotes" in error.message
    assert "hunter2" not in error.message
    assert "7654321" not in error.message
    assert error.__cause__ is None


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChatError) as caught:
        load(Path("nope.toml"), cwd=tmp_path, environ={}, flags={})
    assert (caught.value.code, caught.value.exit_code) == ("config_missing", 3)
    assert caught.value.message == f"there is no configuration file {tmp_path / 'nope.toml'}"


def test_a_named_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ChatError) as caught:
        load(tmp_path, cwd=tmp_path, environ={}, flags={})
    assert (caught.value.code, caught.value.exit_code) == ("config_unreadable", 3)


@pytest.mark.parametrize("raw", [b"[chat\n", b"\xff\xfe[chat]", b"x = " + b"[" * 20_000])
def test_what_is_not_toml(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "nwchat.toml").write_bytes(raw)
    error = refused(tmp_path)
    assert error.code == "config_syntax"
    assert error.message.startswith(f"{tmp_path / 'nwchat.toml'} is not TOML: ")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_bytes(b'\xef\xbb\xbf[chat]\nname = "x"\n')
    assert loaded(tmp_path).settings.chat.name == "x"


def test_settings_alone_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from nwchatctl.config import Settings

    monkeypatch.setenv("CHAT__NAME", "ambient")
    monkeypatch.setenv("NWCHAT_CHAT__NAME", "ambient")
    monkeypatch.setenv("TAGS", '{"a": "b"}')
    assert Settings().chat.name == "ninjawars"
    assert Settings().tags == {}


def test_importing_costs_no_pydantic() -> None:
    code = "import sys, nwchatctl.config; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
