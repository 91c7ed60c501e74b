"""A fifth of all AWS calls fail, each in one of AWS's ways: deploy and destroy get there all the same."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff, RetryContext

import nwchat
from nwchatctl.aws import adapters
from nwchatctl.aws.awslambda.package import zip_folder
from nwchatctl.aws.core import retry
from nwchatctl.aws.core.session import Aws
from tests.e2e.support.error_cases import AWS
from tests.e2e.support.fault_proxy import Call, Fault, Proxy, SeededFaults
from tests.e2e.support.operator import Operator, Ran
from tests.e2e.support.sandbox import Sandbox

RUNS = 3
"""How often a command may have to be run until it gets through. Most do at once."""

READ_TIMEOUT = 1.0
"""Seconds; on AWS it is 20. A fault that costs this long is one in ten."""

CHANGED = {"NWCHAT_FUNCTIONS__MEMORY_MB": "512", "NWCHAT_STAGE__THROTTLE_RATE": "20"}


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between attempts are a tenth of what they are on AWS."""
    delay = ExponentialBackoff.delay_amount

    def shortened(backoff: ExponentialBackoff, context: RetryContext) -> float:
        return float(delay(backoff, context)) / 10

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", shortened)
    monkeypatch.setattr(retry, "LONGEST_WAIT", retry.LONGEST_WAIT / 10)


@pytest.fixture
def operator(sandbox: Sandbox, fault_proxy: Proxy, tmp_path: Path) -> Iterator[Operator]:
    """An operator whose every call goes through the proxy."""
    made = Operator(sandbox, "e2e-faults", tmp_path)
    access = dataclasses.replace(made.aws.access, endpoint=fault_proxy.url, read_timeout=READ_TIMEOUT)
    made.aws = Aws(access, made.aws.trace)
    yield made
    if made.resources():
        made.destroy()
    assert made.resources() == set()


def gets_there(operator: Operator, *argv: str, **settings: str) -> Ran:
    """The run that succeeded. Each before it ended with an error that says what to do."""
    ran = operator.run(*argv, **settings)
    for _ in range(RUNS - 1):
        if ran.code == 0:
            break
        assert ran.error is not None
        assert (ran.code, ran.error.code != "internal", ran.error.hint != "") == (1, True, True), ran.error
        ran = operator.run(*argv, **settings)
    assert (ran.code, ran.error and ran.error.message) == (0, None)
    return ran


def holds_each_thing_once(operator: Operator) -> None:
    """As root sees it: nothing was made twice because an answer was lost."""
    api = operator.api
    mine = [each for each in api.get_apis()["Items"] if operator.tags.items() <= each["Tags"].items()]
    assert sorted(each["ProtocolType"] for each in mine) == ["HTTP", "WEBSOCKET"]
    api_id, history_id = operator.api_id, operator.history_id
    assert len(api.get_integrations(ApiId=history_id)["Items"]) == 1
    found = [each["RouteKey"] for each in api.get_routes(ApiId=history_id)["Items"]]
    assert sorted(found) == ["GET /health", "GET /messages", "HEAD /health"]
    integrations = api.get_integrations(ApiId=api_id)["Items"]
    assert sorted(each["Description"] for each in integrations) == [
        f"nwchatctl:{each}" for each in ("connect", "disconnect", "message", "ping")
    ]
    routes = api.get_routes(ApiId=api_id)["Items"]
    keys = ["$connect", "$default", "$disconnect", "onMessage", "ping"]
    assert sorted(each["RouteKey"] for each in routes) == keys
    answers = Counter(
        route["RouteKey"]
        for route in routes
        for _ in api.get_route_responses(ApiId=api_id, RouteId=route["RouteId"])["Items"]
    )
    assert answers == {"ping": 1}
    responses = [
        each
        for integration in integrations
        for each in api.get_integration_responses(ApiId=api_id, IntegrationId=integration["IntegrationId"])[
            "Items"
        ]
    ]
    assert len(responses) == 1
    deployments = Counter(each["Description"] for each in api.get_deployments(ApiId=api_id)["Items"])
    assert set(deployments.values()) == {1}
    assert len(api.get_stages(ApiId=api_id)["Items"]) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_life_of_a_chat_survives_faults(
    operator: Operator, fault_proxy: Proxy, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sockets go straight to the sandbox; the functions post through the proxy.
    direct = Operator(operator.sandbox, operator.name, tmp_path)
    faults = SeededFaults(seed)
    with fault_proxy.choosing(faults):
        gets_there(operator, "deploy", "--yes")
    assert operator.plan() == []
    holds_each_thing_once(operator)
    assert [each["name"] for each in direct.json("smoke")["steps"] if not each["ok"]] == []

    code = Path(shutil.copytree(Path(nwchat.__file__).parent, tmp_path / "nwchat"))
    limits = code / "model" / "limits.py"
    limits.write_text(limits.read_text() + "# changed\n")
    monkeypatch.setattr(adapters, "build_package", lambda: zip_folder(code))
    with fault_proxy.choosing(faults):
        ran = gets_there(operator, "deploy", "--yes", **CHANGED)
    assert ran.writes
    assert operator.plan(**CHANGED) == []
    holds_each_thing_once(operator)

    with fault_proxy.choosing(faults):
        gets_there(operator, "destroy", "--delete-data", "--confirm", operator.name)
    assert operator.resources() == set()
    # Enough of everything went wrong that this proves something.
    met = sum(faults.chosen.values())
    assert 0.1 < met / len(fault_proxy.calls) < 0.3
    assert len(faults.chosen) >= 8, faults.chosen


class Losing:
    """Carries every write out, and loses the answer to each one that is sent for the first, third, … time."""

    def __init__(self) -> None:
        self.counts: Counter[Call] = Counter()

    def __call__(self, call: Call) -> Fault | None:
        self.counts[call] += 1
        return Fault.RESET_AFTER if call.writes and self.counts[call] % 2 else None


def test_every_write_survives_one_lost_response(operator: Operator, fault_proxy: Proxy) -> None:
    with fault_proxy.choosing(Losing()):
        gets_there(operator, "deploy", "--yes")
    lost = [call.operation for call, fault in fault_proxy.calls if fault]
    assert lost.count("POST /v2/apis") == 1
    # Found instead of made again: what was lost came through all the same.
    assert [str(call) for call, _ in fault_proxy.calls].count("apigateway POST /v2/apis") == 2
    assert operator.plan() == []
    holds_each_thing_once(operator)
    with fault_proxy.choosing(Losing()):
        gets_there(operator, "destroy", "--delete-data", "--confirm", operator.name)
    assert operator.resources() == set()


def test_interrupt_stops_retries(operator: Operator, fault_proxy: Proxy) -> None:
    """A change that AWS refuses for the moment is tried for a minute and a half; not for one who leaves."""
    asked = threading.Event()

    def choose(call: Call) -> Fault | None:
        if str(call) != "apigateway POST /v2/apis":
            return None
        asked.set()
        return Fault.CONFLICT

    target = operator.sandbox.target
    environ = {
        **operator.sandbox.environ,
        **AWS,
        "NWCHAT_SANDBOX": "0",
        "NWCHAT_CHAT__NAME": operator.name,
        "AWS_ACCESS_KEY_ID": target.access_key_id,
        "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
        "AWS_ENDPOINT_URL": fault_proxy.url,
    }
    command = [sys.executable, "-m", "nwchatctl", "deploy", "--yes"]
    with (
        fault_proxy.choosing(choose),
        subprocess.Popen(
            command, cwd=operator.home, env=environ, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            # Well below PATIENCE_SECONDS: what else runs is a table or two.
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err.splitlines()[-1]) == (130, "error: interrupted")
