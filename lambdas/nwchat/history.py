"""The history API, which an HTTP API leads to (payload format 2.0): GET /messages and GET /health."""

from __future__ import annotations

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
    """200 with a page, 400 for a parameter that is none; an event without a route asks for the last page."""
    if event.get("routeKey") == HEALTH:
        return _answer(200, health(__version__))
    if not authorized(event, tools):
        log.info("refused", extra={"code": "unauthorized"})
        refused = _answer(401, problem("unauthorized", "a token is needed, as Authorization: Bearer"))
        refused["headers"]["WWW-Authenticate"] = "Bearer"
        return refused
    asked = parse_query(event.get("queryStringParameters") or {})
    if isinstance(asked, Bad):
        log.info("refused", extra={"code": asked.code, "detail": asked.detail})
        return _answer(400, problem(asked.code, asked.detail))
    page = tools.store.page(
        asked.limit, tools.now_ms(), before=asked.before, after=asked.after, consistent=True
    )
    log.info("read", extra={"messages": len(page.messages)})
    return _answer(200, history_body(page, forward=is_forward(asked.after)))


def authorized(event: Event, tools: Tools) -> bool:
    """Whether the caller may read: everybody may, where nobody needs a token to come in."""
    return True


def _answer(status: int, body: str) -> Answer:
    return {"statusCode": status, "headers": dict(_HEADERS), "body": body}


if runtime.is_warming():
    runtime.tools()
