from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import file_lock, state
from nwchatctl.sandbox.directory import MARKER
from nwchatctl.sandbox.endpoint import SandboxEndpoint, load_endpoint
from nwchatctl.sandbox.environment import server_environment
from nwchatctl.sandbox.state import AccessKey, SandboxPaths, ServerInfo

HOLD = """
import sys, time
from pathlib import Path
from nwchatctl.sandbox import file_lock
assert file_lock.acquire(Path(sys.argv[1]), timeout=5) is not None
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path) -> SandboxPaths:
    place = SandboxPaths(tmp_path / "a sandbox")
    place.make()
    return place


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"NWCHAT_SANDBOX_DIR": "/x y", "XDG_STATE_HOME": "/s"}, Path("/x y")),
        ({"NWCHAT_SANDBOX_DIR": "", "XDG_STATE_HOME": "/s"}, Path("/s/nwchatctl/sandbox")),
        ({}, Path.home() / ".local/state/nwchatctl/sandbox"),
        ({"NWCHAT_SANDBOX_DIR": "here"}, Path.cwd() / "here"),
    ],
)
def test_where_the_state_is(environ: dict[str, str], expected: Path) -> None:
    assert state.locate(environ).root == expected


def test_the_directory_and_the_key_are_the_owners_alone(place: SandboxPaths) -> None:
    state.write_key(place, AccessKey("AKIA1", "s3cret"))
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.credentials.stat().st_mode) == 0o600
    assert state.read_key(place) == AccessKey("AKIA1", "s3cret")
    assert {path.name for path in place.root.iterdir()} == {MARKER, "credentials.json"}


def test_credentials_file_names_whose_key_each_is(place: SandboxPaths) -> None:
    root, operator = AccessKey("AKIAROOT", "r"), AccessKey("AKIAOP", "o")
    state.write_root(place, root)
    state.write_key(place, operator)
    assert json.loads(place.credentials.read_text()) == {
        "root": {"access_key_id": "AKIAROOT", "secret_access_key": "r"},
        "operator": {"access_key_id": "AKIAOP", "secret_access_key": "o"},
    }
    assert (state.read_root(place), state.read_key(place)) == (root, operator)


def test_credentials_file_of_an_earlier_version_is_read(place: SandboxPaths) -> None:
    root, operator = AccessKey("AKIAROOT", "r"), AccessKey("AKIAOP", "o")
    state.write_json(place.credentials, {**asdict(operator), "root": asdict(root)})
    assert (state.read_root(place), state.read_key(place)) == (root, operator)
    state.write_root(place, root)
    assert (state.read_root(place), state.read_key(place)) == (root, operator)


def test_a_directory_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChatError) as caught:
        SandboxPaths(tmp_path / "file" / "sandbox").make()
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_dir", Exit.CONFIG)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "7"}', "\x00"])
def test_incomplete_files_read_as_absent(place: SandboxPaths, content: str) -> None:
    for path in (place.info, place.credentials, place.settings):
        path.write_text(content)
    assert state.read_info(place) is None
    assert state.read_key(place) is None
    assert state.read_port(place) == 4566


def test_lock_is_held_as_long_as_its_process(place: SandboxPaths) -> None:
    assert not file_lock.is_locked(place.server_lock)
    command = [sys.executable, "-c", HOLD, str(place.server_lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert file_lock.is_locked(place.server_lock)
        assert file_lock.acquire(place.server_lock, timeout=0.0) is None
        assert not file_lock.wait_until_free(place.server_lock, timeout=0.0)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert file_lock.wait_until_free(place.server_lock, timeout=60.0)
    with file_lock.exclusive(place.server_lock, timeout=0.0) as mine:
        assert mine


def test_a_stale_info_file_is_no_server(place: SandboxPaths) -> None:
    state.write_json(place.info, {"pid": 1, "port": 4566, "region": "us-east-2"})
    assert state.read_info(place) == ServerInfo(1, 4566, "us-east-2")
    assert state.running(place) is None


def test_the_target_needs_a_live_server_and_a_key(place: SandboxPaths) -> None:
    environ = {"NWCHAT_SANDBOX_DIR": str(place.root)}
    state.write_json(place.info, {"pid": 1, "port": 4600, "region": "us-west-1"})
    state.write_key(place, AccessKey("AKIA1", "s3cret"))
    with pytest.raises(ChatError) as caught:
        load_endpoint(environ)
    assert caught.value.hint == "nwchatctl sandbox up"
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_not_running", Exit.CONFIG)
    # flock is between open files, so this process can play the server for itself.
    with file_lock.exclusive(place.server_lock, timeout=0.0):
        target = load_endpoint(environ)
        assert target == SandboxEndpoint("http://127.0.0.1:4600", "us-west-1", "AKIA1", "s3cret")
        assert "s3cret" not in repr(target)
        place.credentials.unlink()
        with pytest.raises(ChatError):
            load_endpoint(environ)


def test_the_target_costs_no_boto3() -> None:
    code = (
        "import sys; import nwchatctl.sandbox.endpoint; "
        "sys.exit(bool({'boto3', 'botocore', 'ministack', 'asyncio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_of_the_user_reaches_the_server(place: SandboxPaths) -> None:
    user = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": "work",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONPATH": "/evil",
        "PYTHONSTARTUP": "/evil.py",
        "STATE_DIR": "/elsewhere",
        "LAMBDA_EXECUTOR": "docker",
        "DOCKER_HOST": "tcp://elsewhere",
        "NWCHAT_SANDBOX": "1",
        "MINISTACK_ACCOUNT_ID": "1",
    }
    made = server_environment(user, paths=place, port=4600, region="us-west-1")
    assert (made["PATH"], made["HOME"]) == ("/bin", "/home/me")
    changed = {"STATE_DIR", "LAMBDA_EXECUTOR", "DOCKER_HOST"}
    assert not (set(user) - {"PATH", "HOME"} - changed) & set(made)
    assert made["STATE_DIR"] == str(place.data)
    assert made["LAMBDA_EXECUTOR"] == "local"
    assert not Path(made["DOCKER_HOST"].removeprefix("unix://")).exists()
    assert {made[name] for name in ("SFTP_ENABLED", "IOT_MTLS_ENABLED")} == {"0"}
    assert (made["BIND_HOST"], made["AUTH"], made["GATEWAY_PORT"]) == ("127.0.0.1", "true", "4600")
