"""History API: GET /messages, GET and HEAD /health, as an HTTP API invokes it (payload format 2.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchat import __version__, cold_start, runtime
from nwchat.log import Log
from nwchat.model.bans import active_ban, ban_notice
from nwchat.model.budget import FRAME_PRICE, page_price, sender_room
from nwchat.model.identity import Identity
from nwchat.model.log_hash import ban_fields
from nwchat.model.paging import is_forward
from nwchat.model.wire import InvalidFrame, error_body, health_body, history_body, parse_query
from nwchat.runtime import Event, Response, Services

HEALTH = ("GET /health", "HEAD /health")

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
    """Return 200 with a page of messages, 400 for an invalid parameter, or 429 for a sender over its budget.

    An event without a route gets the newest page. In token mode: 401 without a valid token, 403 for a banned
    player. The budget is that of the sender's frames.
    """
    if event.get("routeKey") in HEALTH:
        return _response(200, health_body(__version__))
    identity = _identity(event, services, log) if services.config.tokens else None
    if isinstance(identity, dict):
        return identity
    request, limits = _request(event, identity), services.config.limits
    room = sender_room(request)
    charge = services.budgets.charge(room, FRAME_PRICE, services.now_ms(), limits, log)
    if (retry_after := charge.retry_after()) is not None:
        return _too_many(retry_after, limits.sender_messages, limits.rate_seconds, log)
    if identity is not None and (rejection := _ban_rejection(request, services, log)) is not None:
        return rejection
    query = parse_query(event.get("queryStringParameters") or {})
    if isinstance(query, InvalidFrame):
        log.info("refused", extra={"code": query.code, "detail": query.detail})
        return _response(400, error_body(query.code, query.detail))
    page = services.store.page(
        query.limit, services.now_ms(), before=query.before, after=query.after, consistent=True
    )
    body = history_body(page, forward=is_forward(query.after))
    if rest := page_price(len(body.encode())) - FRAME_PRICE:
        # Waited for: Lambda suspends threads when the handler returns.
        services.budgets.charge(room, rest, services.now_ms(), limits, log).retry_after()
    log.info("read", extra={"messages": len(page.messages)})
    return _response(200, body)


def _request(event: Event, identity: Identity | None) -> dict[str, Any]:
    """The sender in the structure of the `requestContext` that the other functions get."""
    caller = runtime.request_of(event).get("http")
    context = {} if identity is None else {"authorizer": identity.as_context()}
    return {"identity": caller if isinstance(caller, Mapping) else {}, **context}


def _too_many(retry_after: int, most: int, seconds: int, log: Log) -> Response:
    log.info("refused", extra={"code": "rate_limited"})
    detail = f"at most {most} requests and frames of one sender in {seconds} seconds"
    response = _response(429, error_body("rate_limited", detail))
    response["headers"]["Retry-After"] = str(retry_after)
    return response


def _identity(event: Event, services: Services, log: Log) -> Identity | Response:
    """The owner of the request's token, or the 401 response for a request without a valid one."""
    # Imported here: open mode does not need PyJWT, which takes half of a cold start.
    from nwchat.auth.tokens import TokenRefused, bearer_token, verify_with

    token, max_uname_chars = bearer_token(event.get("headers")), services.config.limits.max_uname_chars
    result = (
        token
        if isinstance(token, TokenRefused)
        else verify_with(services.token_keys, token, services.now_ms() / 1000, max_uname_chars)
    )
    if isinstance(result, TokenRefused):
        log.warning("refused", extra={"code": "unauthorized", "reason": result.reason})
        response = _response(401, error_body("unauthorized", "a token is needed, as Authorization: Bearer"))
        response["headers"]["WWW-Authenticate"] = "Bearer"
        return response
    return result.identity


def _ban_rejection(request: Mapping[str, Any], services: Services, log: Log) -> Response | None:
    """The 403 response for a banned player; None for others."""
    ban = active_ban(request, services.store.bans, services.now_ms(), log)
    if ban is None:
        return None
    log.warning("banned", extra=ban_fields(ban, request, services.log_hash))
    return _response(403, error_body("muted", ban_notice(ban)))


def _response(status: int, body: str) -> Response:
    return {"statusCode": status, "headers": dict(_HEADERS), "body": body}


if cold_start.in_init_phase():
    runtime.services()
