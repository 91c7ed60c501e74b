"""The history API, which an HTTP API leads to (payload format 2.0): GET /messages and GET /health."""

from __future__ import annotations

from collections.abc import Mapping

from nwchat import __version__, runtime
from nwchat.log import Log
from nwchat.model.paging import is_forward
from nwchat.model.wire import InvalidFrame, health, history_body, parse_query, problem
from nwchat.runtime import Event, Response, Services

HEALTH = "GET /health"

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    # What players say is text, whatever a browser makes of its beginning.
    "X-Content-Type-Options": "nosniff",
}


def handler(event: Event, context: object) -> Response:
    log = runtime.log_for(event, context)
    try:
        return history(event, runtime.services(), log)
    except Exception:
        log.exception("history failed")
        return _answer(500, problem("internal", "the history cannot be read now"))


def history(event: Event, services: Services, log: Log) -> Response:
    """200 with a page, 400 for a parameter that is none; an event without a route asks for the last page.

    In token mode 401 without a good token, and 403 for the banned.
    """
    if event.get("routeKey") == HEALTH:
        return _answer(200, health(__version__))
    if services.config.tokens and (kept_out := _kept_out(event, services, log)) is not None:
        return kept_out
    asked = parse_query(event.get("queryStringParameters") or {})
    if isinstance(asked, InvalidFrame):
        log.info("refused", extra={"code": asked.code, "detail": asked.detail})
        return _answer(400, problem(asked.code, asked.detail))
    page = services.store.page(
        asked.limit, services.now_ms(), before=asked.before, after=asked.after, consistent=True
    )
    log.info("read", extra={"messages": len(page.messages)})
    return _answer(200, history_body(page, forward=is_forward(asked.after)))


def _kept_out(event: Event, services: Services, log: Log) -> Response | None:
    """What whoever may not read is answered; None for the others."""
    # In here, because open mode needs nothing of it, and PyJWT is half of a cold start.
    from nwchat.auth.tokens import TokenRefused, bearer, verify_with
    from nwchat.model.bans import active_ban, ban_notice

    now_ms = services.now_ms()
    token, most = bearer(event.get("headers")), services.config.limits.max_uname_chars
    found = (
        token if isinstance(token, TokenRefused) else verify_with(services.keys, token, now_ms / 1000, most)
    )
    if isinstance(found, TokenRefused):
        log.warning("refused", extra={"code": "unauthorized", "reason": found.reason})
        answer = _answer(401, problem("unauthorized", "a token is needed, as Authorization: Bearer"))
        answer["headers"]["WWW-Authenticate"] = "Bearer"
        return answer
    caller = runtime.request_of(event).get("http")
    # As the authorizer hands it to the other functions.
    request = {
        "identity": caller if isinstance(caller, Mapping) else {},
        "authorizer": found.identity.as_context(),
    }
    ban = active_ban(request, services.store.bans, now_ms, log)
    if ban is None:
        return None
    log.warning("banned", extra={"ban": ban.key})
    return _answer(403, problem("muted", ban_notice(ban)))


def _answer(status: int, body: str) -> Response:
    return {"statusCode": status, "headers": dict(_HEADERS), "body": body}


if runtime.is_warming():
    runtime.services()
