"""A second emulator: `plan`, `deploy` and `destroy` against moto's server, as they run against AWS.

What the sandbox and moto both accept is more likely to be what AWS accepts. The calls that moto does not
implement are listed here: a moto that closes one of these gaps makes the test fail, and its line goes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.adapters.aws.moto_server import FUNCTION_FIELDS, Answer, moto_server
from tests.unit.subprocesses import nwchatctl

GAPS: dict[str, Answer] = {
    r"GET /2016-08-19/account-settings": (200, {"AccountLimit": {"ConcurrentExecutions": 1000}}),
    r"POST /v2/apis/\w+/deployments": (201, {"deploymentId": "d1", "deploymentStatus": "DEPLOYED"}),
    r"GET /v2/apis/\w+/deployments": (200, {"items": []}),
    r"GET /v2/apis/\w+/authorizers": (200, {"items": []}),
    r"GET /v2/apis/\w+/(routes|integrations)/\w+/(route|integration)responses": (200, {"items": []}),
}
"""The answers in moto 5.2.5's place, to methods and paths that it does not implement."""

FORGOTTEN: dict[str, Any] = {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}}
"""What moto accepts of a function and does not return."""

DIFFERS = {("create", "deployment"), ("update", "route"), ("update", "stage")}
"""What `plan` shows right after a deploy, because of the gaps: no deployment, no route response."""

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-2",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NWCHAT_CHAT__NAME": "dojo",
    # moto has no IAM policies that ask for one.
    "NWCHAT_FUNCTIONS__PERMISSIONS_BOUNDARY": "none",
}


def test_a_chat_is_deployed_and_destroyed(tmp_path: Path) -> None:
    with moto_server(GAPS, FORGOTTEN) as (moto, url):

        def run(*argv: str, code: int = 0) -> Any:
            done = nwchatctl(tmp_path, *argv, "--json", environ={**ACCOUNT, "AWS_ENDPOINT_URL": url})
            assert done.code == code, (argv, done.err, moto.failed)
            return json.loads(done.out)

        first = run("plan", "--check", code=6)
        deployed = run("deploy", "--yes")
        assert deployed["applied"] == len(first["changes"]) > 40
        after = run("plan", "--check", code=6)
        assert {(each["action"], each["kind"]) for each in after["changes"]} == DIFFERS
        run("destroy", "--delete-data", "--confirm", "dojo", "--yes")
        assert run("plan", "--check", code=6)["changes"] == first["changes"]
    assert not moto.failed, "calls that moto fails and GAPS does not list"
    assert moto.used == {*GAPS, FUNCTION_FIELDS}, "moto has closed the other gaps: take their lines out"
