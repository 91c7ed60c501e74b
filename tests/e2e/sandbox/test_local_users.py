"""Another user of the machine gets nothing of a sandbox, and its functions get nothing of the operator."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import directory, process, state
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.support.sandbox import Sandbox, free_port, invoke, make_function

NOBODY = 65534

OPERATOR = {
    "AWS_PROFILE": "production",
    "AWS_SECRET_ACCESS_KEY": "operators-own-secret",
    "GITHUB_TOKEN": "operators-own-secret",
    "NWCHAT_AWS__PROFILE": "production",
    "SSH_AUTH_SOCK": "/run/operator/agent",
    "USER": "operator",
    "LOGNAME": "operator",
}


@pytest.fixture(scope="module")
def open_sandbox() -> Iterator[Sandbox]:
    """A sandbox in a directory that every user can reach, started in an operator's environment, with a
    function that has run. The session's sandbox is below a directory that pytest closes."""
    with tempfile.TemporaryDirectory(prefix="nwchat-users-") as folder:
        Path(folder).chmod(0o755)
        made = Sandbox(SandboxPaths(Path(folder) / "a sandbox"), free_port())
        with pytest.MonkeyPatch.context() as patch:
            for name, value in OPERATOR.items():
                patch.setenv(name, value)
            mask = os.umask(0o000)
            try:
                operations.start(made.state, made.port)
            finally:
                os.umask(mask)
        make_function(made, "somebody", echo="")
        invoke(made, "somebody", {})
        yield made
        process.down(made.state)


def server_pid(sandbox: Sandbox) -> int:
    info = state.running(sandbox.state)
    assert info is not None
    return info.pid


def family(pid: int) -> list[int]:
    """The server and its functions."""
    found = [pid]
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(each.read_text().rpartition(")")[2].split()[1])
        except FileNotFoundError:
            continue
        if parent == pid:
            found.append(int(each.parent.name))
    return found


def secrets_of(sandbox: Sandbox) -> list[str]:
    key = state.read_key(sandbox.state)
    assert key is not None
    return [key.secret_access_key, sandbox.root_key.secret_access_key]


def test_every_file_is_the_owners_alone(open_sandbox: Sandbox) -> None:
    root = open_sandbox.state.root
    paths = [root, *root.rglob("*")]
    assert len(paths) > 10
    shared = [
        str(each) for each in paths if not each.is_symlink() and stat.S_IMODE(each.stat().st_mode) & 0o077
    ]
    assert shared == []


def test_secrets_are_in_no_log_and_no_process_list(open_sandbox: Sandbox) -> None:
    log = open_sandbox.state.log.read_text()
    listed = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert "nwchatctl.sandbox.server" in listed
    assert not [secret for secret in secrets_of(open_sandbox) if secret in log or secret in listed]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_and_functions_have_no_key_in_their_environment(open_sandbox: Sandbox) -> None:
    processes = family(server_pid(open_sandbox))
    assert len(processes) > 1
    for each in processes:
        environment = Path(f"/proc/{each}/environ").read_bytes().decode()
        for secret in (*secrets_of(open_sandbox), "operators-own-secret"):
            assert secret not in environment


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_unix_socket_listens(open_sandbox: Sandbox) -> None:
    inodes = set()
    for each in family(server_pid(open_sandbox)):
        inodes |= {str(link.readlink()) for link in Path(f"/proc/{each}/fd").iterdir()}
    # The fourth field has the flag of a listening socket.
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    held = [row for row in rows if f"socket:[{row[6]}]" in inodes]
    assert [row for row in held if int(row[3], 16) & 0x10000 or len(row) > 7] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_reads_nothing_and_calls_nothing(open_sandbox: Sandbox) -> None:
    def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
        )

    root = open_sandbox.state.root
    assert as_nobody("ls", "-d", str(root)).returncode == 0, "the way to the directory is open"
    for path in (root, open_sandbox.state.credentials, open_sandbox.state.log, open_sandbox.state.data):
        done = as_nobody("sh", "-c", 'ls "$0/" || cat "$0"', str(path))
        assert done.returncode != 0
        assert not [secret for secret in secrets_of(open_sandbox) if secret in done.stdout]
    pid = server_pid(open_sandbox)
    assert as_nobody("cat", f"/proc/{pid}/environ").stdout == ""
    assert as_nobody("kill", "-0", str(pid)).returncode != 0
    request = (
        f"POST /?Action=CreateUser&UserName=evil HTTP/1.1\\r\\nHost: 127.0.0.1:{open_sandbox.port}\\r\\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, "
        "SignedHeaders=host, Signature=00\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
    )
    script = f"exec 3<>/dev/tcp/127.0.0.1/{open_sandbox.port} && printf '{request}' >&3 && cat <&3"
    answer = as_nobody("bash", "-c", script).stdout
    assert answer.startswith("HTTP/1.1 403 ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_directory_of_another_user_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    directory.claim(root)
    os.chown(root, NOBODY, NOBODY)
    os.chown(root / directory.MARKER, NOBODY, NOBODY)
    root.chmod(0o755)
    for command in (process.up, process.down, process.reset):
        with pytest.raises(Exception, match=r"another user|other files"):
            command(SandboxPaths(root))
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    assert [each.name for each in root.iterdir()] == [directory.MARKER]


def test_functions_get_nothing_of_the_operator(open_sandbox: Sandbox) -> None:
    answer = invoke(open_sandbox, "somebody", {"say": "environment"})
    environment, scratch = answer["environ"], open_sandbox.state.scratch
    assert not OPERATOR.keys() - {"AWS_SECRET_ACCESS_KEY"} & environment.keys()
    assert "operators-own-secret" not in environment.values()
    for name in ("HOME", "TMPDIR"):
        assert scratch in Path(environment[name]).parents
        assert environment[name] != os.environ.get(name)
    assert answer["files"] == []
    assert Path(answer["cwd"]) == Path(environment["LAMBDA_TASK_ROOT"])
    assert scratch in Path(answer["cwd"]).parents
    # All of it: what is new here was allowed by somebody.
    runtime = {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
        *("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_STREAM_NAME"),
        "AWS_DISABLE_HOST_PREFIX_INJECTION",
        *("_LAMBDA_FUNCTION_ARN", "_LAMBDA_TIMEOUT", "HOME", "TMPDIR", "PATH", "LANG", "TZ", "PYTHONUTF8"),
    }
    optional = {"LD_LIBRARY_PATH", "PYTHONUSERBASE", "LC_CTYPE"}
    others = {name for name in environment if not name.startswith("_MINISTACK_")}
    assert others - optional == runtime, others ^ runtime
    assert runtime <= environment.keys()


def test_custom_runtime_opens_no_port(open_sandbox: Sandbox) -> None:
    functions = open_sandbox.client("lambda", root=True)
    known = functions.get_function(FunctionName="somebody")["Configuration"]
    code = Path(tempfile.mkdtemp(dir=open_sandbox.state.scratch))
    (code / "bootstrap").write_text("#!/bin/sh\nsleep 60\n")
    archive = shutil.make_archive(str(code / "code"), "zip", code)
    functions.create_function(
        FunctionName="custom",
        Runtime="provided.al2023",
        Role=known["Role"],
        Handler="x",
        Code={"ZipFile": Path(archive).read_bytes()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="custom", WaiterConfig={"Delay": 1})
    answer = functions.invoke(FunctionName="custom", Payload=b"{}")
    assert "custom runtime" in answer["Payload"].read().decode()


def test_a_server_of_an_earlier_version_is_restarted(tmp_path: Path) -> None:
    """Its root key is public."""
    place = SandboxPaths(tmp_path / "a sandbox")
    place.make()
    command = [sys.executable, "-c", _HOLD, str(place.server_lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as earlier:
        try:
            assert earlier.stdout is not None
            assert earlier.stdout.readline() == "held\n"
            port = free_port()
            about = {"pid": earlier.pid, "port": port, "region": "us-east-2", "python": sys.executable}
            state.write_json(place.info, about)
            _, started = process.up(place)
            assert started
            assert earlier.wait(60) == -signal.SIGTERM
            running = state.running(place)
            assert running is not None
            assert (running.port, running.version) == (port, state.SERVER_VERSION)
        finally:
            earlier.kill()
            process.down(place)


_HOLD = """
import sys, time
from pathlib import Path
from nwchatctl.sandbox import file_lock
assert file_lock.acquire(Path(sys.argv[1]), timeout=5) is not None
print("held", flush=True)
time.sleep(60)
"""
