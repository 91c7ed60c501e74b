"""The history API, which an HTTP API leads to (payload format 2.0): GET /messages and GET /health."""

from __future__ import annotations

from collections.abc import Mapping

from nwchat import __version__, runtime
from nwchat.paging import is_forward
from nwchat.runtime import Answer, Event, Log, Tools
from nwchat.wire import Bad, health, history_body, parse_query, problem

HEALTH = "GET /health"

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    # What players say is text, whatever a browser makes of its beginning.
    "X-Content-Type-Options": "nosniff",
}


def handler(event: Event, context: object) -> Answer:
    log = runtime.log_for(event, context)
    try:
        return history(event, runtime.tools(), log)
    except Exception:
        log.exception("history failed")
        return _answer(500, problem("internal", "the history cannot be read now"))


def history(event: Event, tools: Tools, log: Log) -> Answer:
    """200 with a page, 400 for a parameter that is none; an event without a route asks for the last page.

    In token mode 401 without a good token, and 403 for the banned.
    """
    if event.get("routeKey") == HEALTH:
        return _answer(200, health(__version__))
    if tools.config.tokens and (kept_out := _kept_out(event, tools, log)) is not None:
        return kept_out
    asked = parse_query(event.get("queryStringParameters") or {})
    if isinstance(asked, Bad):
        log.info("refused", extra={"code": asked.code, "detail": asked.detail})
        return _answer(400, problem(asked.code, asked.detail))
    page = tools.store.page(
        asked.limit, tools.now_ms(), before=asked.before, after=asked.after, consistent=True
    )
    log.info("read", extra={"messages": len(page.messages)})
    return _answer(200, history_body(page, forward=is_forward(asked.after)))


def _kept_out(event: Event, tools: Tools, log: Log) -> Answer | None:
    """What whoever may not read is answered; None for the others."""
    # In here, because open mode needs nothing of it, and PyJWT is half of a cold start.
    from nwchat.bans import ban_on, told
    from nwchat.tokens import Refused, bearer, verify_with

    now_ms = tools.now_ms()
    token, most = bearer(event.get("headers")), tools.config.limits.max_uname_chars
    found = token if isinstance(token, Refused) else verify_with(tools.keys, token, now_ms / 1000, most)
    if isinstance(found, Refused):
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
    ban = ban_on(request, tools.store.bans, now_ms, log)
    if ban is None:
        return None
    log.warning("banned", extra={"ban": ban.key})
    return _answer(403, problem("muted", told(ban)))


def _answer(status: int, body: str) -> Answer:
    return {"statusCode": status, "headers": dict(_HEADERS), "body": body}


if runtime.is_warming():
    runtime.tools()
