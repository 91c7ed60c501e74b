"""Questions about API Gateway's control plane. They leave a probe API for the sockets' questions."""

from __future__ import annotations

from typing import Any

from tests.live.identities import make_user
from tests.live.measure.functions import set_endpoint
from tests.live.measure.sockets import QUIET_SECONDS, STAGE, Refused, open_socket
from tests.live.run import RUN_TAG, Run, refused

AUTOMATIC = "automatic"
"""A second stage, which deploys automatically."""

_DENIED = ("AccessDeniedException", "AccessDenied", "ForbiddenException")


def measure_tagging(run: Run) -> None:
    """Tagged creations by a user who has everything but apigateway:TagResource."""
    region = f"arn:{run.target.location.partition}:apigateway:{run.target.location.region}::"
    statement = {
        "Effect": "Allow",
        "Action": ["apigateway:GET", "apigateway:POST"],
        "Resource": [f"{region}/apis", f"{region}/apis/*", f"{region}/domainnames"],
    }
    user = make_user(run, "untagged", {"create": {"Version": "2012-10-17", "Statement": [statement]}})
    api, name = user.client("apigatewayv2"), run.making("API", run.name("untagged"))
    run.answer(
        "tag-api",
        refused(lambda: api.create_api(**_api(name), Tags=run.tags), *_DENIED),
    )
    # Without tags it may: this API is for the stage. Its name alone shows whose it is.
    made = api.create_api(**_api(run.making("API", run.name("nostage"))))["ApiId"]
    run.answer(
        "tag-stage",
        refused(lambda: api.create_stage(ApiId=made, StageName=STAGE, Tags=run.tags), *_DENIED),
    )
    domain = f"{run.name('domain')}.example.com"
    certificate = run.target.location.arn("acm", "certificate/00000000-0000-4000-8000-000000000000")
    configuration = {"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    run.making("domain name", domain)
    answer = refused(
        lambda: api.create_domain_name(
            DomainName=domain, DomainNameConfigurations=[configuration], Tags=run.tags
        ),
        *_DENIED,
    )
    run.answer("tag-domain", answer if answer in ("refused", "accepted") else "another error")
    _measure_tag_condition(run, statement)


def _measure_tag_condition(run: Run, statement: dict[str, Any]) -> None:
    """A tagged creation by a user who may add the tags of this run only."""
    tagging = {
        "Effect": "Allow",
        "Action": "apigateway:TagResource",
        "Resource": statement["Resource"],
        "Condition": {"StringEquals": {f"aws:RequestTag/{RUN_TAG}": run.id}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement, tagging]}
    api = make_user(run, "tagging", {"create": policy}).client("apigatewayv2")
    name = run.making("API", run.name("tagged"))
    run.answer("tag-condition", refused(lambda: api.create_api(**_api(name), Tags=run.tags), *_DENIED))


def measure_stage(run: Run) -> None:
    """A new API: what is refused about its deployments, and when its first handshake works."""
    gateway = run.client("apigatewayv2", retries=False)
    api = run.client("apigatewayv2")
    made = api.create_api(**_api(run.making("API", run.name("probe"))), Tags=run.tags)["ApiId"]
    run.shared["api"] = made
    run.answer(
        "deployment-without-routes",
        refused(lambda: gateway.create_deployment(ApiId=made), "BadRequestException"),
    )
    _measure_tag_visibility(run, api, made)
    set_endpoint(run, run.target.location.connections_url(made, STAGE))
    target = _integration(run, api, made)
    api.create_route(ApiId=made, RouteKey="$connect", Target=target)
    deployment = api.create_deployment(ApiId=made)["DeploymentId"]
    api.create_stage(
        ApiId=made,
        StageName=STAGE,
        DeploymentId=deployment,
        DefaultRouteSettings={"ThrottlingRateLimit": 200.0, "ThrottlingBurstLimit": 200},
        Tags=run.tags,
    )
    _measure_first_connect(run, made)
    run.answer(
        "deployment-in-use",
        refused(
            lambda: gateway.delete_deployment(ApiId=made, DeploymentId=deployment), "BadRequestException"
        ),
    )
    _measure_snapshot(run, api, made, target)
    api.create_stage(ApiId=made, StageName=AUTOMATIC, AutoDeploy=True, Tags=run.tags)
    run.answer(
        "deployment-with-auto-deploy",
        refused(
            lambda: gateway.update_stage(ApiId=made, StageName=AUTOMATIC, DeploymentId=deployment),
            "BadRequestException",
        ),
    )


def _api(name: str) -> dict[str, Any]:
    return {"Name": name, "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}


def _integration(run: Run, api: Any, made: str) -> str:
    """An integration with the probe function, which API Gateway may invoke; the routes' target."""
    location, name = run.target.location, run.name("probe")
    run.client("lambda").add_permission(
        FunctionName=name,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=location.arn("execute-api", f"{made}/*"),
    )
    function = location.arn("lambda", f"function:{name}")
    path = f"path/2015-03-31/functions/{function}/invocations"
    uri = f"arn:{location.partition}:apigateway:{location.region}:lambda:{path}"
    found = api.create_integration(ApiId=made, IntegrationType="AWS_PROXY", IntegrationUri=uri)
    return f"integrations/{found['IntegrationId']}"


def _measure_tag_visibility(run: Run, api: Any, made: str) -> None:
    location = run.target.location
    arn = f"arn:{location.partition}:apigateway:{location.region}::/apis/{made}"
    api.tag_resource(ResourceArn=arn, Tags={"visible": "yes"})
    run.answer(
        "gateway-tags-visible",
        run.until(
            lambda: api.get_tags(ResourceArn=arn).get("Tags", {}).get("visible") == "yes",
            seconds=90,
            every=0.2,
            what="the API's tag",
        ),
    )


def _measure_first_connect(run: Run, made: str) -> None:
    url = run.target.location.websocket_url(made, STAGE)

    def connects() -> bool:
        try:
            open_socket(url).close()
        except (Refused, OSError):
            return False
        return True

    run.answer("first-connect", run.until(connects, seconds=90, every=0.5, what="the first connect"))


def _measure_snapshot(run: Run, api: Any, made: str, target: str) -> None:
    """A route that no deployment has yet, and that has no route response."""
    url = run.target.location.websocket_url(made, STAGE)
    api.create_route(ApiId=made, RouteKey="$default", Target=target)
    with open_socket(url) as socket:
        run.answer("undeployed-route", "Forbidden frame" if "Forbidden" in socket.id() else "handled")
    deployment = api.create_deployment(ApiId=made)["DeploymentId"]
    api.update_stage(ApiId=made, StageName=STAGE, DeploymentId=deployment)

    def is_handled() -> bool:
        with open_socket(url) as socket:
            found = socket.id()
            if not found or "Forbidden" in found or "error" in found:
                return False
            # The body, if it comes, comes after what the handler posts.
            run.answer("route-response", "body" if socket.receive(QUIET_SECONDS) else "no body")
        return True

    run.until(is_handled, seconds=60, every=1, what="the new deployment")
