from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from typing import Any

import pytest

from bench.coldstart.aws_stub import run_aws_stub
from bench.coldstart.contenders import CONNECT, DISCONNECT, MESSAGE
from nwchat import runtime
from nwchat.config import Config, FanOut
from nwchat.log import JsonFormatter, Log
from nwchat.model.limits import Limits

TABLES = {"NWCHAT_CONNECTIONS_TABLE": "c", "NWCHAT_MESSAGES_TABLE": "m"}


def test_the_environment_that_deploy_sets() -> None:
    env = {
        **TABLES,
        "NWCHAT_ENDPOINT": "https://api.example/production",
        "NWCHAT_RETENTION_DAYS": "7",
        "NWCHAT_ECHO_TO_SENDER": "false",
        "NWCHAT_ALLOWED_ORIGINS": "https://A.example/, https://b.example",
        "NWCHAT_MAX_MESSAGE_CHARS": "250",
        "NWCHAT_MAX_UNAME_CHARS": "20",
        "NWCHAT_RATE_MESSAGES": "5",
        "NWCHAT_RATE_SECONDS": "3",
        "NWCHAT_SENDER_MESSAGES": "11",
        "NWCHAT_ADDRESS_CONNECTIONS": "12",
        "NWCHAT_RESERVED_NAMES": "operator,Game Master",
        "NWCHAT_LOG_LEVEL": "DEBUG",
        "NWCHAT_FANOUT_FUNCTION": "nwchat-ninjawars-fanout:live",
        "NWCHAT_FANOUT_THRESHOLD": "9",
        "NWCHAT_FANOUT_SEGMENT_SIZE": "99",
        "NWCHAT_SENDING_RATE": "999",
    }
    assert Config.from_env(env) == Config(
        connections_table="c",
        messages_table="m",
        endpoint="https://api.example/production",
        retention_days=7,
        echo_to_sender=False,
        allowed_origins=frozenset({"https://a.example", "https://b.example"}),
        limits=Limits(250, 20, 5, 3, 11, 12),
        log_level="DEBUG",
        reserved_names=("operator", "Game Master"),
        fan_out=FanOut("nwchat-ninjawars-fanout:live", 9, 99, 999),
    )


def test_what_is_not_set_has_the_settings_defaults() -> None:
    assert Config.from_env({**TABLES, "NWCHAT_ALLOWED_ORIGINS": ""}) == Config("c", "m")


def test_without_its_tables_a_function_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "config", lambda: Config.from_env({}))
    with pytest.raises(runtime.MissingSetting, match="NWCHAT_CONNECTIONS_TABLE"):
        runtime.services.__wrapped__()


class Context:
    aws_request_id = "lambda's"

    def get_remaining_time_in_millis(self) -> int:
        return 25_000


def test_the_deadline_keeps_two_seconds_back() -> None:
    assert runtime.deadline_of(Context(), clock=lambda: 100.0) == 123.0
    assert runtime.deadline_of(None, clock=lambda: 100.0) == math.inf


def record(logger: logging.Logger, **extra: object) -> logging.LogRecord:
    return logger.makeRecord("nwchat", logging.INFO, "f", 1, "hi %s", ("you",), None, extra=dict(extra))


def test_a_line_of_the_log() -> None:
    made = record(logging.getLogger("nwchat"), request_id="r", connection_id=None, odd={1})
    made.created, made.msecs = 1_700_000_000.25, 250.0
    assert json.loads(JsonFormatter().format(made)) == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "level": "INFO",
        "logger": "nwchat",
        "message": "hi you",
        "request_id": "r",
        "connection_id": None,
        "odd": "{1}",
    }


def test_a_line_stays_one_line() -> None:
    made = record(logging.getLogger("nwchat"), text="a\nb\u2028c\ud800")
    assert len(JsonFormatter().format(made).encode().splitlines()) == 1


def test_extra_adds_to_the_ids() -> None:
    log = Log(logging.getLogger("nwchat"), {"request_id": "r"})
    assert log.process("x", {"extra": {"a": 1}}) == ("x", {"extra": {"request_id": "r", "a": 1}})
    assert log.process("x", {}) == ("x", {"extra": {"request_id": "r"}})


def python(code: str, **env: str) -> str:
    """What a fresh interpreter prints: a cold start of its own."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NWCHAT_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**keep, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


HANDLERS = "import nwchat.connect, nwchat.disconnect, nwchat.message, nwchat.fanout, sys\n"


def test_importing_the_handlers_does_not_import_boto3() -> None:
    assert python(HANDLERS + "print('boto3' in sys.modules)") == "False\n"


NEEDLESS = {
    *("boto3", "botocore", "urllib3", "http.client", "email", "pathlib", "jwt", "datetime", "decimal"),
    *("asyncio", "dataclasses", "inspect", "subprocess"),
}
"""Modules that no function needs in open mode. Each of them takes milliseconds of a cold start."""

MAX_MODULES = 145
"""How many modules a function may import, those that Python itself starts with not counted. `message` imports
136 with Python 3.12."""


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("connect", {"nwchat.delivery"}),
        ("disconnect", {"nwchat.delivery"}),
        ("history", {"nwchat.delivery"}),
        ("message", set()),
        ("fanout", set()),
    ],
)
def test_cold_start_imports_no_more_than_the_function_needs(name: str, others: set[str]) -> None:
    """`make bench-coldstart` measures how long it takes."""
    imported = python(
        f"import sys\nbefore = set(sys.modules)\nimport nwchat.{name}\nprint(*set(sys.modules) - before)",
        **TABLES,
        NWCHAT_ENDPOINT="https://127.0.0.1:1/x",
        AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
        AWS_REGION="us-east-2",
    ).split()
    assert (NEEDLESS | others) & set(imported) == set()
    assert len(imported) <= MAX_MODULES


@pytest.mark.parametrize(
    ("name", "event"), [("connect", CONNECT), ("disconnect", DISCONNECT), ("message", MESSAGE)]
)
def test_the_first_event_imports_nothing_more(name: str, event: dict[str, Any]) -> None:
    """During an event a function has a part of a processor, in the init phase all of it."""
    code = (
        f"import json, sys, nwchat.{name} as module\n"
        "before = set(sys.modules)\n"
        f"answer = module.handler(json.loads({json.dumps(event)!r}), None)\n"
        "print(answer['statusCode'], *set(sys.modules) - before)"
    )
    with run_aws_stub() as stub:
        printed = python(
            code,
            **TABLES,
            NWCHAT_ENDPOINT=f"{stub.url}/production",
            AWS_ENDPOINT_URL=stub.url,
            AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
            AWS_REGION="us-east-2",
            AWS_ACCESS_KEY_ID="x",
            AWS_SECRET_ACCESS_KEY="y",
        )
    assert printed.splitlines()[-1] == "200"


def test_clients_are_created_in_init_phase() -> None:
    made = python(
        HANDLERS
        + "print(nwchat.runtime.services.cache_info().currsize, nwchat.runtime.poster.cache_info().currsize)",
        **TABLES,
        NWCHAT_ENDPOINT="http://127.0.0.1:1/x",
        AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
        AWS_DEFAULT_REGION="us-east-2",
    )
    assert made == "1 1\n"


def test_garbage_is_collected_again_from_the_first_invocation_on() -> None:
    code = (
        # Python 3.12 begins with frozen objects.
        "import gc\n"
        "frozen = gc.get_freeze_count()\n"
        "import nwchat.connect\n"
        "before = gc.isenabled()\n"
        "nwchat.connect.handler({}, None)\n"
        "print(before, gc.isenabled(), gc.get_freeze_count() > frozen)"
    )
    env = {**TABLES, "AWS_REGION": "us-east-2"}
    assert python(code, **env).splitlines()[-1] == "True True False"
    assert (
        python(code, **env, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand").splitlines()[-1] == "False True True"
    )


BROKEN = (
    "import nwchat.{name} as module\n"
    "class Context: aws_request_id = 'r1'\n"
    "event = dict(requestContext=dict(connectionId='c1', requestId='api'), body='secret words')\n"
    "print(module.handler(event, Context()))"
)


@pytest.mark.parametrize("name", ["connect", "disconnect", "message"])
def test_a_handler_that_has_no_clients_logs_why_and_answers_500(name: str) -> None:
    printed = python(BROKEN.format(name=name), **TABLES, AWS_CONFIG_FILE=os.devnull)
    *lines, answer = printed.splitlines()
    assert answer == "{'statusCode': 500}"
    first = json.loads(lines[0])
    assert (first["request_id"], first["connection_id"]) == ("r1", "c1")
    assert (first["level"], first["errorType"]) == ("ERROR", "NoRegion")
    assert "secret words" not in printed


def test_without_an_endpoint_no_poster_is_made() -> None:
    printed = python(BROKEN.format(name="message"), **TABLES, AWS_DEFAULT_REGION="us-east-2")
    assert json.loads(printed.splitlines()[0])["errorMessage"] == "'NWCHAT_ENDPOINT'"


def test_in_lambdas_json_mode_the_runtimes_own_formatter_is_used() -> None:
    code = (
        "from nwchat import runtime\n"
        "log = runtime.log_for({}, None).logger\n"
        "print(log.handlers, log.propagate, log.level)"
    )
    assert python(code, **TABLES, AWS_LAMBDA_LOG_FORMAT="JSON") == "[] True 20\n"


def test_copied_generator_is_seeded_by_the_first_invocation_only() -> None:
    """A library may take randomness from it."""
    code = (
        "import random\n"
        "from nwchat import runtime\n"
        "def draw():\n"
        "    random.seed(1)\n"
        "    runtime.log_for({}, None)\n"
        "    return random.random()\n"
        "print(draw() == draw(), draw() == draw())"
    )
    assert python(code, **TABLES) == "False True\n"
