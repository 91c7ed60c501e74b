"""A running sandbox, and small resources in it that are created without the deploy code."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from nwchatctl.sandbox.endpoint import SandboxEndpoint, load_endpoint
from nwchatctl.sandbox.state import DEFAULT_REGION, AccessKey, SandboxPaths, read_root
from tests.free_port import free_port as free_port  # noqa: PLC0414 - for the modules that use a sandbox

_CODE = """
import json, os, sys, time

def handler(event, context):
    if event.get("say") == "boto3":
        import boto3
        own = {name: os.environ[name] for name in ("AWS_PROFILE", "PYTHONPATH", "NWCHAT_SANDBOX", "TZ")
               if name in os.environ}
        return {"executable": sys.executable, "boto3": boto3.__version__, "environ": own}
    if event.get("say") == "environment":
        return {"environ": dict(os.environ), "cwd": os.getcwd(), "files": os.listdir(os.environ["HOME"])}
    context = event.get("requestContext", {})
    body = event.get("body", "")
    if body == "fail":
        raise ValueError("a secret of the function")
    if body == "slow":
        time.sleep(6)
    if body == "surrogate":
        return {"statusCode": 200, "body": "a\\ud800b"}
    if context.get("eventType") == "MESSAGE":
        return {"statusCode": 200, "body": ECHO + str(len(body)) + " by " + context["routeKey"]}
    return {"statusCode": 200}
"""


ONE_ADDRESS = {"NWCHAT_CHAT__SENDER_MESSAGES": "1000000", "NWCHAT_CHAT__ADDRESS_CONNECTIONS": "1000"}
"""All players of the tests have one address, and would share its budget and its connections."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its state directory and port."""

    state: SandboxPaths
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def target(self) -> SandboxEndpoint:
        return load_endpoint(self.environ)

    @property
    def root_key(self) -> AccessKey:
        key = read_root(self.state)
        assert key is not None, "a sandbox that was started has a root key"
        return key

    @property
    def environ(self) -> dict[str, str]:
        """The environment of an `nwchatctl` process that uses this sandbox."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NWCHAT_"))}
        return {
            **kept,
            **ONE_ADDRESS,
            "NWCHAT_SANDBOX": "1",
            "NWCHAT_SANDBOX_DIR": str(self.state.root),
        }

    def client(
        self, service: str, *, root: bool = False, url: str | None = None, region: str = DEFAULT_REGION
    ) -> Any:
        """A boto3 client with the operator's key, or the emulator's root key."""
        key = self.root_key if root else self.target
        return self.client_of(key.access_key_id, key.secret_access_key, service, url=url, region=region)

    def client_of(
        self, key_id: str, secret: str, service: str, *, url: str | None = None, region: str = DEFAULT_REGION
    ) -> Any:
        """A boto3 client with any access key."""
        make: Any = boto3.session.Session(
            aws_access_key_id=key_id, aws_secret_access_key=secret, region_name=region
        ).client
        config = Config(proxies={}, retries={"total_max_attempts": 1})
        return make(service, endpoint_url=url or self.endpoint, config=config)

    def socket_url(self, api_id: str, stage: str = "production") -> str:
        return f"ws://127.0.0.1:{self.port}/_aws/execute-api/{api_id}/{stage}"


def make_function(sandbox: Sandbox, name: str, *, echo: str) -> str:
    """Creates a function whose answers begin with `echo`, with a role without permissions. Returns its
    ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code_of_function.py", _CODE.replace("ECHO", repr(echo)))
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam, functions = sandbox.client("iam", root=True), sandbox.client("lambda", root=True)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="code_of_function.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=20,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return str(functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]).removesuffix(
        ":$LATEST"
    )


def invoke(sandbox: Sandbox, name: str, event: dict[str, Any]) -> Any:
    """The answer of the function to `event`."""
    answer = sandbox.client("lambda", root=True).invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


def echo_chat(sandbox: Sandbox, name: str) -> str:
    """Creates a WebSocket API whose function answers each frame with its length and route. Returns its id."""
    arn = make_function(sandbox, name, echo="")
    api = sandbox.client("apigatewayv2", root=True)
    api_id = str(
        api.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")[
            "ApiId"
        ]
    )
    path = "2015-03-31/functions"
    integration = api.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:{DEFAULT_REGION}:lambda:path/{path}/{arn}/invocations",
    )["IntegrationId"]
    for route in ("$connect", "$disconnect", "$default"):
        api.create_route(ApiId=api_id, RouteKey=route, Target=f"integrations/{integration}")
    make_answering(api, api_id, "$default")
    deployment = api.create_deployment(ApiId=api_id)["DeploymentId"]
    api.create_stage(ApiId=api_id, StageName="production", DeploymentId=deployment)
    return api_id


def make_answering(api: Any, api_id: str, route_key: str) -> None:
    """Gives a route a response, so that what its function returns reaches the client."""
    found = api.get_routes(ApiId=api_id)["Items"]
    route = next(each["RouteId"] for each in found if each["RouteKey"] == route_key)
    api.update_route(ApiId=api_id, RouteId=route, RouteResponseSelectionExpression="$default")
    api.create_route_response(ApiId=api_id, RouteId=route, RouteResponseKey="$default")


def public_http_api(sandbox: Sandbox, name: str) -> str:
    """Creates an HTTP API whose `GET /` any page may read, and which answers an empty 200. Returns its id."""
    arn = make_function(sandbox, name, echo="")
    api = sandbox.client("apigatewayv2", root=True)
    api_id = str(
        api.create_api(Name=name, ProtocolType="HTTP", CorsConfiguration={"AllowOrigins": ["*"]})["ApiId"]
    )
    integration = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    api.create_route(ApiId=api_id, RouteKey="GET /", Target=f"integrations/{integration}")
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    return api_id
