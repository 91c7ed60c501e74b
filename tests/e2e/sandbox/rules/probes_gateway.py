"""Probes of API Gateway's control plane and of what a stage serves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.sandbox.rules.registry import Probe, probe, unthrottled

STAGE = "production"
PONG = '{"type":"pong"}'


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Code and text of the error of a call, "" without one."""
    try:
        unthrottled(call, **parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


def is_bad_request(answer: tuple[str, str], text: str) -> bool:
    return answer[0] == "BadRequestException" and text in answer[1]


class Api:
    """A WebSocket API whose routes are answered by MOCKs."""

    def __init__(self, aws: Probe) -> None:
        self.client = aws.client("apigatewayv2")
        self.sandbox = aws.sandbox
        self.id = unthrottled(
            self.client.create_api,
            Name=aws.name(),
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action",
        )["ApiId"]

    def do(self, name: str, **parameters: Any) -> Any:
        return unthrottled(getattr(self.client, name), ApiId=self.id, **parameters)

    def refusal(self, name: str, **parameters: Any) -> tuple[str, str]:
        return refusal(getattr(self.client, name), ApiId=self.id, **parameters)

    def route(self, key: str, *, answers: bool = True) -> None:
        """Adds a route that answers PONG."""
        integration = self.do("create_integration", IntegrationType="MOCK")["IntegrationId"]
        self.do(
            "create_integration_response",
            IntegrationId=integration,
            IntegrationResponseKey="$default",
            ResponseTemplates={"200": PONG},
        )
        selection = {"RouteResponseSelectionExpression": "$default"} if answers else {}
        target = f"integrations/{integration}"
        route = self.do("create_route", RouteKey=key, Target=target, **selection)["RouteId"]
        if answers:
            self.do("create_route_response", RouteId=route, RouteResponseKey="$default")

    def connect(self) -> Any:
        """A connection; repeated because a new stage is not ready at once."""
        end = time.monotonic() + 20
        while True:
            try:
                return connect(self.sandbox.socket_url(self.id), proxy=None)
            except InvalidHandshake:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def answer(self, *actions: str) -> Any:
        """The answer to the last of `actions`; without one, the error of a frame without a route that follows
        it. The others are answered with PONG."""
        with self.connect() as client:
            for each in actions[:-1]:
                client.send(json.dumps({"action": each}))
                assert client.recv(20) == PONG
            for last in (actions[-1], "without a route"):
                client.send(json.dumps({"action": last}))
            return json.loads(client.recv(20))


@probe("tag_on_create")
def tagged_creation_needs_tag_resource(aws: Probe) -> bool:
    """A user may create APIs, and has no action for tags."""
    iam, name = aws.client("iam"), aws.name()
    iam.create_user(UserName=name)
    allowed = {
        "Effect": "Allow",
        "Action": "apigateway:POST",
        "Resource": f"arn:aws:apigateway:{DEFAULT_REGION}::/apis",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="create", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = aws.sandbox.client_of(key["AccessKeyId"], key["SecretAccessKey"], "apigatewayv2")
    untagged = refusal(client.create_api, Name=name, ProtocolType="HTTP")
    tagged = refusal(client.create_api, Name=name, ProtocolType="HTTP", Tags={"some": "tag"})
    return untagged == ("", "") and (
        tagged[0] == "AccessDeniedException" and "apigateway:TagResource" in tagged[1]
    )


@probe("deployment_snapshots")
def stage_serves_what_was_deployed(aws: Probe) -> bool:
    """A route that is created after auto-deploy was switched off."""
    api = Api(aws)
    api.route("first")
    api.do("create_stage", StageName=STAGE, AutoDeploy=True)
    api.do("update_stage", StageName=STAGE, AutoDeploy=False)
    api.route("second")
    answer = api.answer("first", "second")
    return set(answer) == {"message", "connectionId", "requestId"} and answer["message"] == "Forbidden"


@probe("deployment_needs_routes")
def api_without_routes_cannot_be_deployed(aws: Probe) -> bool:
    return is_bad_request(Api(aws).refusal("create_deployment"), "At least one route is required")


@probe("deployment_in_use")
def active_deployment_cannot_be_deleted(aws: Probe) -> bool:
    api = Api(aws)
    api.route("ping")
    api.do("create_stage", StageName=STAGE, AutoDeploy=True)
    deployment = api.do("get_stage", StageName=STAGE)["DeploymentId"]
    return is_bad_request(api.refusal("delete_deployment", DeploymentId=deployment), "Active stages")


@probe("deployment_with_auto_deploy")
def stage_with_auto_deploy_takes_no_deployment(aws: Probe) -> bool:
    """Not in the call that switches it off either."""
    api = Api(aws)
    api.route("ping")
    api.do("create_stage", StageName=STAGE, AutoDeploy=True)
    wanted = {"StageName": STAGE, "DeploymentId": api.do("get_stage", StageName=STAGE)["DeploymentId"]}
    answers = [api.refusal("update_stage", **wanted), api.refusal("update_stage", **wanted, AutoDeploy=False)]
    return all(is_bad_request(each, "because AutoDeploy is enabled") for each in answers)


@probe("route_response_needed")
def answer_without_route_response_is_dropped(aws: Probe) -> bool:
    api = Api(aws)
    api.route("answered")
    api.route("silent", answers=False)
    api.do("create_stage", StageName=STAGE, AutoDeploy=True)
    return bool(api.answer("answered", "silent").get("message") == "Forbidden")


@probe("stage_ready")
def new_stage_refuses_handshakes(aws: Probe) -> bool:
    api = Api(aws)
    api.route("ping")
    api.do("create_stage", StageName=STAGE, AutoDeploy=True)
    try:
        with connect(api.sandbox.socket_url(api.id), proxy=None):
            return False
    except InvalidHandshake:
        return True


@probe("attributes_visible")
def changed_tags_are_not_visible_at_once(aws: Probe) -> bool:
    api = Api(aws)
    arn = f"arn:aws:apigateway:{DEFAULT_REGION}::/apis/{api.id}"
    unthrottled(api.client.tag_resource, ResourceArn=arn, Tags={"some": "tag"})
    seen = [api.do("get_api")["Tags"], unthrottled(api.client.get_tags, ResourceArn=arn)["Tags"]]
    return seen == [{}, {}]
