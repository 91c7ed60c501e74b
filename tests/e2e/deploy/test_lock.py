"""One at a time: who comes second is refused and told by whom; a lock outlives nobody who held it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from nwchatctl import lease
from nwchatctl.aws.dynamodb.deploy_table import DeployTable
from nwchatctl.context import App
from nwchatctl.deploy.lock import LEASE_MS, LockHolder, LockState
from nwchatctl.lease import LeaseTerms
from nwchatctl.operations import lock
from tests.e2e.support.chat import now_ms
from tests.e2e.support.fault_proxy import Call, Fault, Proxy
from tests.e2e.support.operator import Operator
from tests.e2e.support.proxied_sandbox import proxied_sandbox
from tests.e2e.support.sandbox import Sandbox

WATCH_SECONDS = 0.3

CHANGED = {"NWCHAT_STAGE__THROTTLE_RATE": "50"}


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-locked", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


@pytest.fixture
def deploys(operator: Operator) -> Iterator[DeployTable]:
    made = DeployTable(operator.root("dynamodb"), operator.resource_name("deploys"))
    yield made
    made.break_lock(made.read().lock)
    operator.deploy()


def held(deploys: DeployTable, process: str = "elsewhere/1/1", *, lasting_ms: int = LEASE_MS) -> LockHolder:
    """Somebody holds the lock, and has for half a minute."""
    now = now_ms()
    holder = LockHolder(
        "theirs", "user/somebody", "another-host", process, "deploy", now - 30_000, now + lasting_ms
    )
    assert deploys.acquire_lock(holder, deploys.read().lock)
    return holder


@pytest.mark.parametrize(
    "argv",
    [["deploy", "--yes"], ["destroy", "--yes"], ["rollback"]],
    ids=lambda argv: argv[0],
)
def test_second_deploy_names_lock_holder(operator: Operator, deploys: DeployTable, argv: list[str]) -> None:
    held(deploys)
    ran = operator.run(*argv, **CHANGED)
    assert (ran.code, ran.writes) == (1, [])
    assert ran.error is not None
    assert ran.error.code == "locked"
    assert re.search(
        r"user/somebody is at it from another-host: deploy holds the lock since \d{4}-.* \(3\d s ago\)",
        ran.error.message,
    )
    assert "deploy --force-unlock" in ran.error.hint
    # Nor is it said that there is nothing to do, while somebody is doing it.
    assert operator.run("deploy").code == 1
    # Looking is always allowed.
    assert operator.run("plan").code == 0
    assert "locked\tdeploy by user/somebody on another-host, since" in operator.run("status").out


def test_force_takes_over_lock(operator: Operator, deploys: DeployTable) -> None:
    theirs = held(deploys)
    assert operator.run("deploy", "--force-unlock", "--dry-run", **CHANGED).writes == []
    ran = operator.run("deploy", "--force-unlock", **CHANGED)
    assert ran.code == 0
    assert "the lock is taken away from user/somebody on another-host" in ran.err
    assert operator.plan(**CHANGED) == []
    # They hear of it at their next breath, and take nothing back.
    assert not deploys.renew_lock(theirs)
    deploys.release_lock(theirs)
    assert deploys.read().lock.holder is None
    assert operator.run("deploy", "--force-unlock", **CHANGED).code == 0


@pytest.fixture
def short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired locks are watched for less than the ten seconds of a renewal."""
    monkeypatch.setattr(lock, "TERMS", LeaseTerms(LEASE_MS / 1000, WATCH_SECONDS))
    monkeypatch.setattr(lock, "_LOOK_SECONDS", WATCH_SECONDS / 10)
    monkeypatch.setattr(lease, "CLOCK_SECONDS", WATCH_SECONDS)


def test_wrong_clock_takes_no_live_lock(
    operator: Operator, deploys: DeployTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's is an hour ahead: it thinks that the lock has long expired."""
    held(deploys)
    monkeypatch.setattr(App, "local_ms", lambda app: now_ms() + 3_600_000)
    ran = operator.run("deploy", **CHANGED)
    assert (ran.code, ran.writes) == (1, [])
    assert ran.error is not None
    assert ran.error.code == "locked"


def test_lock_expires_by_the_clock_of_aws(
    operator: Operator, deploys: DeployTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(App, "local_ms", lambda app: now_ms() - 3_600_000)
    seen: list[LockHolder | None] = []
    renew = DeployTable.acquire_lock

    def acquire(self: DeployTable, holder: LockHolder, state: LockState) -> bool:
        seen.append(holder)
        return renew(self, holder, state)

    monkeypatch.setattr(DeployTable, "acquire_lock", acquire)
    assert operator.run("deploy", **CHANGED).code == 0
    (holder,) = seen
    assert holder is not None
    assert abs(holder.expires_at - LEASE_MS - now_ms()) < 60_000


def test_expired_lock_that_is_renewed_is_not_taken(
    operator: Operator, deploys: DeployTable, short_watch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder lives, and its clock is wrong."""
    theirs = held(deploys, lasting_ms=-60_000)

    def sleep(seconds: float) -> None:
        deploys.renew_lock(dataclasses.replace(theirs, expires_at=theirs.expires_at + 10))

    monkeypatch.setattr(time, "sleep", sleep)
    ran = operator.run("deploy", **CHANGED)
    assert (ran.code, ran.writes) == (1, [])
    assert ran.error is not None
    assert ran.error.code == "locked"


def test_lock_released_while_it_is_watched_is_planned_again(
    operator: Operator, deploys: DeployTable, short_watch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = held(deploys, lasting_ms=-1)
    monkeypatch.setattr(time, "sleep", lambda seconds: deploys.release_lock(theirs))
    ran = operator.run("deploy", **CHANGED)
    assert (ran.code, ran.error and ran.error.code) == (1, "changed_meanwhile")


def test_lock_expires(operator: Operator, deploys: DeployTable, short_watch: None) -> None:
    held(deploys, lasting_ms=-1)
    ran = operator.run("deploy", **CHANGED)
    assert ran.code == 0
    assert "has not been heard of for long: going on from there" in ran.err


def test_lock_of_dead_process_is_free(operator: Operator, deploys: DeployTable) -> None:
    program = "from nwchatctl.process_id import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    held(deploys, done.stdout.strip())
    ran = operator.run("deploy", **CHANGED)
    assert ran.code == 0
    assert "died: going on from there" in ran.err


def test_stale_plan_is_planned_again(operator: Operator, deploys: DeployTable) -> None:
    """As with a question that is answered after lunch."""
    app_saw = deploys.read().lock
    other_holder = dataclasses.replace(held(deploys), token="somebody")
    deploys.release_lock(dataclasses.replace(other_holder, token="theirs"))
    assert not deploys.acquire_lock(other_holder, app_saw)


def test_one_of_ten_concurrent_deploys_succeeds(sandbox: Sandbox, fault_proxy: Proxy, tmp_path: Path) -> None:
    """However slow a machine is to start ten processes: AWS does not answer the one that has the lock before
    the nine have ended, or only after it has been asked for several things one after another."""
    nine_ended = threading.Event()

    def slowly(call: Call) -> Fault | None:
        if call.operation == "CreateRole" or call.operation.startswith("POST "):
            # Less than the tool waits for an answer.
            nine_ended.wait(15)
        return None

    def deploy(environ: dict[str, str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "nwchatctl", "deploy", "--yes", "--json"],
            check=False,
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout, done.stderr

    def at_once(operator: Operator) -> list[tuple[int, str, str]]:
        ended = []
        with fault_proxy.choosing(slowly), ThreadPoolExecutor(10) as pool:
            environ = {**operator.sandbox.environ, **operator.environ}
            for each in as_completed([pool.submit(deploy, environ) for _ in range(10)]):
                ended.append(each.result())
                if len(ended) == 9:
                    nine_ended.set()
        return ended

    with proxied_sandbox(fault_proxy, sandbox, tmp_path / "through the proxy") as proxied:
        operator = Operator(proxied, "e2e-ten", tmp_path)
        try:
            ended = at_once(operator)
            done = [json.loads(out) for code, out, _ in ended if code == 0]
            refused = [json.loads(err.splitlines()[-1])["error"] for code, _, err in ended if code == 1]
            assert (len(done), len(refused)) == (1, 9), ended
            assert done[0]["applied"] == len(done[0]["changes"]) == 48
            assert {each["code"] for each in refused} <= {"locked", "changed_meanwhile"}
            assert all(each["message"] and each["hint"] for each in refused)
            assert operator.plan() == []
            apis = operator.api.get_apis(MaxResults="500")["Items"]
            mine = [each["ProtocolType"] for each in apis if each["Tags"].get("nwchat:chat") == operator.name]
            assert sorted(mine) == ["HTTP", "WEBSOCKET"]
            # The proxy knows no sockets.
            assert Operator(sandbox, "e2e-ten", tmp_path).json("smoke")["ok"] is True
        finally:
            operator.destroy()
        assert operator.resources() == set()
