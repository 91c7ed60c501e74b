"""Access keys and signatures, checked as AWS checks them.

ministack 1.5.33 takes the keys `test` and any 12 digits for the account's root user and checks no signature
of theirs, serves some calls unsigned, and derives the keys of a function's role from its ARN, which anybody
can compute. Sources: "Signature Version 4 for API requests" (IAM user guide), "Execution role" (Lambda).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import uuid4

from ministack import app as ministack_app
from ministack.core import iam_evaluator, lambda_runtime, responses, router
from ministack.services import apigateway, lambda_svc, sts

from nwchatctl.sandbox.middleware import Message
from nwchatctl.sandbox.request_filter import Headers, Response
from nwchatctl.sandbox.state import AccessKey

_HEADER = b"AWS4-HMAC-SHA256 "
_KEY = re.compile(r"Credential=([^/,\s]+)/")
# Query parameters of presigned URLs. No tool of the chat sends them, and a page can.
_SIGNED_QUERY = ("x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid")
_NO_TOKEN = iam_evaluator._SESSION_TOKEN_NOT_CHECKED
_MISSING = ("MissingAuthenticationToken", "Missing Authentication Token")
_FORBIDDEN = 403

_resolve = iam_evaluator.resolve_credential
_pin = iam_evaluator.pin_signed_request
_enforce_execute_api = ministack_app._enforce_execute_api

_is_verified: ContextVar[bool] = ContextVar("is_verified", default=False)
"""Whether the signature of this request was verified, so that ministack need not do it again. hypercorn has a
task, and so a context, for each request."""


class Signatures:
    """Verifies the signatures of calls to AWS. `root` is the key of the emulator's root user."""

    def __init__(self, root: AccessKey) -> None:
        self._root = root

    def is_known(self, headers: Headers) -> bool:
        """Whether the request names an access key that exists."""
        key = _key(headers)
        return bool(key) and isinstance(_credential(key), iam_evaluator.ResolvedCredential)

    def refusal(self, scope: Message, body: bytes) -> Response | None:
        """The response to a call that is not signed correctly, in the format of its service; None if it is.

        AWS's status is 400 for some services; here it is always 403.
        """
        raw_query = scope.get("query_string", b"").decode("utf-8", "replace")
        query = parse_qs(raw_query, keep_blank_values=True)
        error = _verify(scope, query, body)
        _is_verified.set(error is None)
        return None if error is None else _response(error, scope, query, body)

    # Replacements in ministack ----------------------------------------------------------------

    def is_root(self, access_key_id: str) -> bool:
        return access_key_id == self._root.access_key_id

    def resolve(
        self, access_key_id: str, account_id: str | None = None, session_token: Any = _NO_TOKEN
    ) -> Any:
        """The credential of an access key, with the sandbox's own root key."""
        if not self.is_root(access_key_id):
            return _resolve(access_key_id, account_id, session_token)
        if session_token is not _NO_TOKEN and session_token:
            return iam_evaluator._invalid_session_token()
        account = account_id or responses.get_account_id()
        return iam_evaluator.ResolvedCredential(
            access_key_id=access_key_id,
            secret_access_key=self._root.secret_access_key,
            account_id=account,
            principal_arn=f"arn:aws:iam::{account}:root",
            principal_id=account,
            principal_type="Root",
            source_access_key_id=access_key_id,
        )

    def function_credentials(self, config: Mapping[str, Any]) -> dict[str, str]:
        """The temporary key of a function's role. It depends on the sandbox's secret."""
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role, name = str(config.get("Role", "")).rpartition("/")[2], str(config.get("FunctionName", ""))
        identity = f"{config.get('FunctionArn', '')}:{config.get('Role', '')}"
        key, secret, token = (self._derive(kind, identity) for kind in ("key", "secret", "token"))
        key = f"ASIA{key[:16].upper()}"
        sts.register_session(
            key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name[:64]}",
                "UserId": f"{role}:{name[:64]}",
                "SecretAccessKey": secret,
                "SessionToken": token,
            },
        )
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    def _derive(self, kind: str, identity: str) -> str:
        text = f"{kind}:{identity}".encode()
        return hmac.new(self._root.secret_access_key.encode(), text, hashlib.sha256).hexdigest()

    def install(self) -> None:
        iam_evaluator.is_root_access_key = sts.is_root_access_key = self.is_root
        # ministack checks no signature of a key for which this is true.
        iam_evaluator._is_root_key = lambda _: False
        iam_evaluator.resolve_credential = sts.resolve_credential = self.resolve
        lambda_runtime.execution_credentials = self.function_credentials
        lambda_svc.execution_credentials = self.function_credentials
        ministack_app.set_request_account_id = set_account
        ministack_app.pin_signed_request = pin
        ministack_app._enforce_execute_api = enforce_execute_api


def set_account(access_key_id: str) -> None:
    """Selects the account of a request. An access key of 12 digits names none: no AWS key has 12 digits."""
    named = access_key_id.isascii() and access_key_id.isdigit()
    responses.set_request_account_id("" if named else access_key_id)


def pin(*args: Any, **options: Any) -> None:
    """Keeps a request for ministack's own check, unless its signature was verified already."""
    if not _is_verified.get():
        _pin(*args, **options)


def enforce_execute_api(
    api_id: str,
    stage: str,
    method: str,
    path: str,
    headers: Any,
    query: Any,
    iam_action: str = "execute-api:Invoke",
) -> Any:
    """Checks the caller's policies where a route requires IAM. ministack also checks the caller of a path
    without a route, as root if unsigned; on AWS that is HTTP 404."""
    if iam_action == "execute-api:Invoke" and (
        ministack_app._execute_api_authorization_type(api_id, stage, method, path) != "AWS_IAM"
    ):
        return None
    return _enforce_execute_api(api_id, stage, method, path, headers, query, iam_action)


def is_chat(scope: Message) -> bool:
    """Whether a request goes to a WebSocket API (as a WebSocket) or to an HTTP API (as HTTP). These are
    public; `@connections` is a call to AWS."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    found = ministack_app._parse_execute_api_url(host, scope["path"])
    if found is None:
        return False
    api_id, _, path = found
    owner = apigateway._api_owner(api_id)
    protocol = "WEBSOCKET" if scope["type"] == "websocket" else "HTTP"
    return owner is not None and owner[0] == protocol and not f"{path}/".startswith("/@connections/")


def _key(headers: Headers) -> str:
    """The access key of the only signature, "" for none."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) != 1 or not found[0].startswith(_HEADER):
        return ""
    named = _KEY.search(found[0].decode("latin-1"))
    return named[1] if named else ""


def _credential(key: str) -> Any:
    set_account(ministack_app._request_account_scope(key))
    return iam_evaluator.resolve_credential(key, responses.get_account_id())


def _verify(scope: Message, query: dict[str, list[str]], body: bytes) -> Any:
    """The AuthError of a call that is not signed correctly; None if it is."""
    headers, key = scope["headers"], _key(scope["headers"])
    if not key or any(name.lower() in _SIGNED_QUERY for name in query):
        return iam_evaluator.AuthError(*_MISSING)
    digest = next((value.decode("latin-1") for name, value in headers if name == b"x-amz-content-sha256"), "")
    if re.fullmatch("[0-9a-f]{64}", digest) and digest != hashlib.sha256(body).hexdigest():
        return iam_evaluator.AuthError(
            "SignatureDoesNotMatch", "X-Amz-Content-SHA256 is not the body's digest"
        )
    try:
        set_account(ministack_app._request_account_scope(key))
    except iam_evaluator.AmbiguousAccessKeyError as error:
        return iam_evaluator.AuthError("InvalidClientTokenId", str(error))
    raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    responses.set_request_region(router.extract_region({"authorization": _authorization(headers)}))
    _pin(scope["method"], raw_path, query, headers)
    iam_evaluator.pin_signed_body(body)
    found = iam_evaluator.authenticate(key, responses.get_account_id())
    # None means that ministack did not check: it found no signature that it knows.
    if found is None:
        return iam_evaluator.AuthError(*_MISSING)
    return found if isinstance(found, iam_evaluator.AuthError) else None


def _authorization(headers: Headers) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"authorization"), "")


def _response(error: Any, scope: Message, query: dict[str, list[str]], body: bytes) -> Response:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    method, path = scope["method"], scope["path"]
    routing = ministack_app._routing_params(method, path, headers, body, query)
    service = router.detect_service(method, path, headers, routing)
    _, shown, text = ministack_app._credential_failure(service, "", str(uuid4()), error, headers)
    return _FORBIDDEN, {str(k): str(v) for k, v in shown.items()}, text
