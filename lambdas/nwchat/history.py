"""History API: GET /messages and GET /health, as an HTTP API invokes it (payload format 2.0)."""

from __future__ import annotations

from collections.abc import Mapping

from nwchat import __version__, runtime
from nwchat.log import Log
from nwchat.model.paging import is_forward
from nwchat.model.wire import InvalidFrame, error_body, health_body, history_body, parse_query
from nwchat.runtime import Event, Response, Services

HEALTH = "GET /health"

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    # Messages are text: browsers must not guess another content type.
    "X-Content-Type-Options": "nosniff",
}


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns 500 when an error occurs."""
    log = runtime.log_for(event, context)
    try:
        return history(event, runtime.services(), log)
    except Exception:
        log.exception("history failed")
        return _response(500, error_body("internal", "the history cannot be read now"))


def history(event: Event, services: Services, log: Log) -> Response:
    """Return 200 with a page of messages, or 400 for an invalid parameter.

    An event without a route gets the newest page. In token mode: 401 without a valid token, 403 for a banned
    player.
    """
    if event.get("routeKey") == HEALTH:
        return _response(200, health_body(__version__))
    if services.config.tokens and (rejection := _rejection(event, services, log)) is not None:
        return rejection
    query = parse_query(event.get("queryStringParameters") or {})
    if isinstance(query, InvalidFrame):
        log.info("refused", extra={"code": query.code, "detail": query.detail})
        return _response(400, error_body(query.code, query.detail))
    page = services.store.page(
        query.limit, services.now_ms(), before=query.before, after=query.after, consistent=True
    )
    log.info("read", extra={"messages": len(page.messages)})
    return _response(200, history_body(page, forward=is_forward(query.after)))


def _rejection(event: Event, services: Services, log: Log) -> Response | None:
    """The 401 or 403 response for a request that may not read the history; None when it may."""
    # Imported here: open mode does not need PyJWT, which takes half of a cold start.
    from nwchat.auth.tokens import TokenRefused, bearer_token, verify_with
    from nwchat.model.bans import active_ban, ban_notice
    from nwchat.model.log_hash import ban_fields

    now_ms = services.now_ms()
    token, max_uname_chars = bearer_token(event.get("headers")), services.config.limits.max_uname_chars
    result = (
        token
        if isinstance(token, TokenRefused)
        else verify_with(services.token_keys, token, now_ms / 1000, max_uname_chars)
    )
    if isinstance(result, TokenRefused):
        log.warning("refused", extra={"code": "unauthorized", "reason": result.reason})
        response = _response(401, error_body("unauthorized", "a token is needed, as Authorization: Bearer"))
        response["headers"]["WWW-Authenticate"] = "Bearer"
        return response
    caller = runtime.request_of(event).get("http")
    # The same structure as the `requestContext` that the authorizer provides to the other functions.
    request = {
        "identity": caller if isinstance(caller, Mapping) else {},
        "authorizer": result.identity.as_context(),
    }
    ban = active_ban(request, services.store.bans, now_ms, log)
    if ban is None:
        return None
    log.warning("banned", extra=ban_fields(ban, request, services.log_hash))
    return _response(403, error_body("muted", ban_notice(ban)))


def _response(status: int, body: str) -> Response:
    return {"statusCode": status, "headers": dict(_HEADERS), "body": body}


if runtime.in_init_phase():
    runtime.services()
