"""The history API as it is built: its drift is seen and repaired, it comes and goes by a setting, and what a
lost answer left is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from tests.e2e.support.chat import SECONDS
from tests.e2e.support.console import history as by
from tests.e2e.support.console.core import ConsoleChange
from tests.e2e.support.drift_cases import Drift, Fields, Part, check_repair
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

OFF = {"NWCHAT_HISTORY__ENABLED": "false"}


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-http", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def health(operator: Operator) -> Any:
    with urlopen(f"{operator.history_url}/health", timeout=SECONDS) as answer:
        return json.loads(answer.read())["status"]


_API = ("history-api", "CHAT-history")
_ANY = Part("")
_ELSEWHERE = (
    "arn:aws:apigateway:us-east-2:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-2:000000000000:function:else/invocations"
)

# What somebody does → the fields that differ then. Several at once, where they are about different fields:
# a deploy for each would take a second each.
DRIFTS: dict[str, list[tuple[ConsoleChange, Fields]]] = {
    "settings": [
        (by.api(Name="mine"), {"display_name": ("mine", "CHAT-history")}),
        (by.api(DisableExecuteApiEndpoint=True), {"default_endpoint": ("off", "on")}),
        (
            by.cors_widened,
            {
                "cors_origins": ("https://evil.example", "*"),
                "cors_methods": ("GET, POST", "GET"),
                "cors_headers": ("*", "authorization"),
                "cors_exposed": ("x-secret", None),
                "cors_credentials": ("on", "off"),
                "cors_max_age": ("1", "7200"),
            },
        ),
        (by.route_added, {"routes.ANY /extra": ("NONE", None)}),
        (
            by.integration(PayloadFormatVersion="1.0", TimeoutInMillis=50),
            {"payload_version": ("1.0", "2.0"), "timeout_ms": ("50", "29000")},
        ),
        (
            by.stage_changed,
            {
                "throttle_rate": ("0", "50"),
                "throttle_burst": ("0", "100"),
                "route_settings": ("GET /messages", None),
                "variables.stray": ("x", None),
                "detailed_metrics": ("on", "off"),
            },
        ),
        (by.tagged, {"tags.stray": ("tag", None), "stage_tags.stray": ("tag", None)}),
    ],
    "parts": [
        (
            by.cors_deleted,
            {
                "cors_origins": (None, "*"),
                "cors_methods": (None, "GET"),
                "cors_headers": (None, "authorization"),
                "cors_max_age": ("0", "7200"),
            },
        ),
        (by.route_deleted, {"routes.GET /messages": (None, "NONE")}),
        (
            by.integration(IntegrationUri=_ELSEWHERE),
            {"uri": (Part(":function:else/"), Part("-history:live/"))},
        ),
        (by.integration_added, {"routes.GET /health": (Part("NONE to "), "NONE")}),
        (by.stage_added, {"extra": (Part(", stage extra"), None)}),
        (by.stage(AutoDeploy=False), {"auto_deploy": ("off", "on")}),
    ],
    "a bent integration": [
        (by.route_authorized, {"routes.GET /messages": (Part("AWS_IAM to "), "NONE")}),
        (
            by.integration_changed,
            {
                "uri": (None, _ANY),
                "payload_version": (None, "2.0"),
                "timeout_ms": ("0", "29000"),
                "routes.GET /health": (Part("NONE to "), "NONE"),
                "routes.HEAD /health": (Part("NONE to "), "NONE"),
                "extra": (Part("integration "), None),
            },
        ),
    ],
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_shown_and_repaired(operator: Operator, name: str) -> None:
    changes = [apply for apply, _ in DRIFTS[name]]
    fields = {field: texts for _, shown in DRIFTS[name] for field, texts in shown.items()}
    assert len(fields) == sum(len(shown) for _, shown in DRIFTS[name])

    def every(chat: Operator) -> None:
        for apply in changes:
            apply(chat)

    known = operator.history_id
    check_repair(operator, Drift(name, every, "update", *_API, fields))
    assert (operator.history_id, health(operator)) == (known, "ok")


def test_removed_permission_is_restored(operator: Operator) -> None:
    name = "CHAT-history:live nwchat-history-messages"
    check_repair(operator, Drift("permission", by.permission_removed, "create", "permission", name))


def test_deleted_api_is_created_again_with_its_permissions(operator: Operator) -> None:
    known = operator.history_id
    by.deleted(operator)
    ran = operator.run("smoke", "--json")
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (4, "not_deployed")
    assert ran.error.hint.startswith("nwchatctl deploy makes it")
    deployed = operator.deploy()
    assert sorted((each["action"], each["kind"]) for each in deployed["changes"]) == [
        ("create", "history-api"),
        *[("update", "permission")] * 3,
    ]
    assert operator.history_id != known
    assert deployed["endpoints"]["history"] == operator.history_url
    assert operator.plan() == []
    policy = operator.root("lambda").get_policy(
        FunctionName=operator.resource_name("history"), Qualifier="live"
    )
    sources = {
        each["Condition"]["ArnLike"]["AWS:SourceArn"] for each in json.loads(policy["Policy"])["Statement"]
    }
    wanted = operator.arn("execute-api", operator.history_id)
    assert sources == {f"{wanted}/*/{each}" for each in ("GET/messages", "GET/health", "HEAD/health")}


def bare(operator: Operator, name: str = "") -> str:
    made = operator.api.create_api(
        Name=name or operator.resource_name("history"), ProtocolType="HTTP", Tags=operator.tags
    )
    return str(made["ApiId"])


def test_killed_deploy_is_completed(operator: Operator) -> None:
    """Without a stage and an integration it is in use all the same, as the routes are there."""
    by.stage_deleted(operator)
    by.integration_deleted(operator)
    known, other = operator.history_id, bare(operator)
    changes = operator.deploy()["changes"]
    assert sorted((each["action"], each["kind"], each["name"]) for each in changes) == [
        ("delete", "history-api", other),
        ("update", "history-api", operator.resource_name("history")),
    ]
    assert (operator.plan(), operator.history_id, health(operator)) == ([], known, "ok")


def test_api_that_may_be_foreign_is_kept(operator: Operator) -> None:
    other = bare(operator, "another")
    for argv in (["deploy", "--yes"], ["status"], ["smoke"], ["destroy", "--yes"]):
        ran = operator.run(*argv)
        assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "api_ambiguous")
    operator.api.delete_api(ApiId=other)
    assert operator.plan() == []


def test_setting_removes_and_restores_api(operator: Operator) -> None:
    whole = operator.resources()
    first = operator.deploy()["release"]
    ran = operator.run("deploy", **OFF)
    assert (ran.code, ran.writes) == (7, [])
    off = operator.deploy(**OFF)
    removed = sorted((each["kind"], each["name"]) for each in off["changes"] if each["action"] == "delete")
    chat = operator.resource_name("history")
    assert removed == [
        ("alias", f"{chat}:live"),
        ("function", chat),
        ("history-api", chat),
        ("log-group", f"/aws/lambda/{chat}"),
        ("permission", f"{chat}:live nwchat-history-health"),
        ("permission", f"{chat}:live nwchat-history-health-head"),
        ("permission", f"{chat}:live nwchat-history-messages"),
        *[each for each in removed if each[0] == "release"],
        ("role", operator.role_name("history")),
    ]
    # What ran it cannot be gone back to any more, and is not listed.
    assert ("release", first) in removed
    assert off["endpoints"]["history"] is None
    assert operator.plan(**OFF) == []
    assert operator.resources() == {each for each in whole if not re.search("-history(-us-east-2)?$", each)}
    smoke = operator.json("smoke", **OFF)
    assert [each["name"] for each in smoke["steps"]][-1] == "close"

    back = operator.deploy()
    assert back["release"] == first
    assert back["endpoints"]["history"] == operator.history_url
    assert (operator.resources(), operator.plan(), health(operator)) == (whole, [], "ok")
    # A rollback removes no API: the release from before there was one would not be what runs.
    old = operator.run("rollback")
    assert old.error is not None
    assert (old.code, old.error.code, old.writes) == (4, "release_smaller", [])
    assert operator.json("status")["release"] == first
    assert health(operator) == "ok"


def test_pages_that_api_gateway_cannot_let_read(operator: Operator) -> None:
    """With none but those, no page of another origin may; status tells the address, and what differs."""
    only = {"NWCHAT_CHAT__ALLOWED_ORIGINS": "capacitor://localhost"}
    assert operator.run("deploy", "--only", "history-api", "--json", **only).code == 0
    assert "CorsConfiguration" not in operator.api.get_api(ApiId=operator.history_id)
    assert "history-api" not in {each["kind"] for each in operator.plan(**only)}
    lines = operator.run("status", "--all").out.splitlines()
    assert f"history\t{operator.history_url}" in lines
    assert f"history-api/{operator.resource_name('history')}\tdiffers" in lines
    operator.deploy()
    lines = operator.run("status", "--all").out.splitlines()
    assert f"history-api/{operator.resource_name('history')}\tok" in lines
