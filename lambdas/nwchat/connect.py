"""$connect: accepts a client and stores its connection.

It never posts to the connection: API Gateway answers 410 until $connect has returned.
"""

from __future__ import annotations

from collections.abc import Mapping

from nwchat import runtime
from nwchat.log import Log
from nwchat.model.bans import active_ban
from nwchat.model.identity import Identity, identity_of
from nwchat.model.ids import connection_expiry
from nwchat.model.rows import Connection, origin_of
from nwchat.model.subprotocol import SUBPROTOCOL, offered_subprotocols
from nwchat.runtime import Event, Response, Services


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns 500 when an error occurs, which closes the connection."""
    log = runtime.log_for(event, context)
    try:
        return connect(event, runtime.services(), log)
    except Exception:
        log.exception("connect failed")
        return {"statusCode": 500}


def connect(event: Event, services: Services, log: Log) -> Response:
    """Return 200, or 403 for a page of another origin and for a banned client.

    Clients other than browsers send no Origin header and are accepted. In token mode, a request without an
    authorizer context is refused with 403: the API's authorizer is then missing.
    """
    request, headers = runtime.request_of(event), _lower(event.get("headers"))
    origin, allowed = headers.get("origin"), services.config.allowed_origins
    if allowed and origin is not None and origin.lower() not in allowed:
        log.warning("origin refused", extra={"origin": origin[:200]})
        return {"statusCode": 403}
    identity = identity_of(request)
    if services.config.tokens and identity is None:
        log.error("no authorizer ran: `nwchatctl deploy` mends it")
        return {"statusCode": 403}
    # In open mode the client has not sent a name yet, so only the address is checked.
    if (ban := active_ban(request, services.store.bans, services.now_ms(), log)) is not None:
        log.warning("banned", extra={"ban": ban.key})
        return {"statusCode": 403}
    if connection_id := request.get("connectionId"):
        services.store.add_connection(
            _connection(str(connection_id), request, headers, services.now_ms(), identity)
        )
        log.info("connected")
    else:
        log.warning("an event without a connection id: nothing to store")
    # Select the subprotocol only when the client offers it: a browser closes the connection when the response
    # selects one that it did not offer.
    accepted = (
        {"headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
        if SUBPROTOCOL in offered_subprotocols(event)
        else {}
    )
    return {"statusCode": 200, **accepted}


def _connection(
    connection_id: str,
    request: Mapping[str, object],
    headers: Mapping[str, str],
    now_ms: int,
    identity: Identity | None,
) -> Connection:
    connected_at = request.get("connectedAt")
    since = connected_at if isinstance(connected_at, int) else now_ms
    origin = origin_of(request, proven=identity is not None, user_agent=headers.get("user-agent", ""))
    return Connection(
        connection_id=connection_id,
        connected_at=since,
        expires_at=connection_expiry(since),
        source_ip=origin.source_ip,
        user_agent=origin.user_agent,
        uname=identity.uname if identity else "",
        sender_id=identity.sender_id if identity else "",
        proven=origin.proven,
    )


def _lower(headers: object) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


if runtime.in_init_phase():
    runtime.services()
