"""Custom domain names as API Gateway handles them.

ministack 1.5.33 accepts any certificate, deletes an API that a domain is mapped to, and serves only HTTP for
a custom domain's Host, without `/health`, which is its own. Sources for the texts of AWS's errors: public
issue threads (architect/architect 25, aws/aws-cdk 9548 and 13512, gruntwork-io/cloud-nuke 370).
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region
from ministack.services import acm, apigateway, apigateway_v1

from nwchatctl.sandbox.middleware import App, Message, Receive, Send
from nwchatctl.sandbox.patches.acm import ISSUED
from nwchatctl.sandbox.request_filter import CUSTOM_DOMAIN

_DOMAINS = re.compile(r"/v2/domainnames(?:/[^/]+)?/?")
_APIS = re.compile(r"/v2/apis/([^/]+)(?:/stages/([^/]+))?/?")


def refusal(method: str, path: str, body: bytes) -> Any:
    """API Gateway's error for a call that it refuses and ministack would accept; None otherwise."""
    if method in ("POST", "PATCH") and _DOMAINS.fullmatch(path):
        wanted = json.loads(body or b"{}").get("domainNameConfigurations") or ()
        problem = next(
            (error for each in wanted if (error := _certificate_error(each.get("certificateArn")))), ""
        )
        return apigateway._apigw_error("BadRequestException", problem, 400) if problem else None
    found = _APIS.fullmatch(path)
    if method == "DELETE" and found and _is_mapped(*(each and unquote(each) for each in found.groups())):
        api_id, stage = found.groups()
        message = (
            f"Deleting stage {stage} failed. Please remove all API mappings for the stage first."
            if stage
            else f"Deleting API {api_id} failed. "
            "Please remove all API mappings for the API from your custom domain names."
        )
        return apigateway._apigw_error("BadRequestException", message, 400)
    return None


def _certificate_error(arn: str | None) -> str:
    """Why a domain cannot use the certificate, "" if it can."""
    if not arn:
        return "Certificate ARN must be specified."
    _, _, _, region, account, *_ = [*arn.split(":"), *[""] * 5]
    if region != get_region():
        return f"Invalid certificate ARN: {arn}. Certificate must be in '{get_region()}'."
    certificate = acm._certificates.get(arn)
    if account != get_account_id() or certificate is None:
        return "The certificate provided must be owned by the account creating the domain."
    if certificate["Status"] != ISSUED:
        return f"Certificate {arn} in account {account} not yet issued"
    return ""


def _is_mapped(api_id: str | None, stage: str | None) -> bool:
    return any(
        mapping["restApiId"] == api_id and stage in (None, mapping["stage"])
        for mappings in apigateway_v1._base_path_mappings.values()
        for mapping in mappings.values()
    )


class CustomDomains:
    """An ASGI app in front of ministack that routes requests for a mapped domain's Host to its API."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] in ("websocket", "http") and (prefix := _api_path(scope)):
            path = prefix + scope["path"].rstrip("/")
            raw = prefix.encode() + scope.get("raw_path", scope["path"].encode()).rstrip(b"/")
            scope = {**scope, "path": path, "raw_path": raw, CUSTOM_DOMAIN: True}
        await self._app(scope, receive, send)


def _api_path(scope: Message) -> str:
    """ministack's path of the API that the Host is mapped to. "" if it is not a domain with a mapped root: a
    mapping with a key removes a part of the path, and no chat has one."""
    host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
    name = host.partition(":")[0].lower()
    path = scope.get("path", "/")
    found = apigateway_v1.resolve_base_path_mapping(name, path) if "." in name else None
    if found is None or found[2] != path:
        return ""
    api_id, stage, _ = found
    return f"/_aws/execute-api/{api_id}/{stage}"
