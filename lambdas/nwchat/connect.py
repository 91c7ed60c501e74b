"""$connect: accepts a client and stores its connection.

It never posts to the connection: API Gateway answers 410 until $connect has returned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nwchat import cold_start, runtime
from nwchat.log import Log
from nwchat.model.bans import active_ban
from nwchat.model.budget import address_room
from nwchat.model.identity import Identity, identity_of
from nwchat.model.ids import connection_expiry
from nwchat.model.log_hash import ban_fields
from nwchat.model.rows import Connection, origin_of
from nwchat.model.subprotocol import SUBPROTOCOL, offered_subprotocols
from nwchat.runtime import Event, Response, Services

_ORIGIN = re.compile(r"null|[A-Za-z][A-Za-z0-9+.-]{0,30}://[A-Za-z0-9.:_\[\]-]{1,200}")
"""An origin as browsers send it. Any other text of a client is not logged."""


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns 500 when an error occurs, which closes the connection."""
    log = runtime.log_for(event, context)
    try:
        return connect(event, runtime.services(), log)
    except Exception:
        log.exception("connect failed")
        return {"statusCode": 500}


def connect(event: Event, services: Services, log: Log) -> Response:
    """Return 200; 403 for a page of another origin and for a banned client; 429 for an address with too many
    open connections.

    Clients other than browsers send no Origin header and are accepted. In token mode, a request without an
    authorizer context is refused with 403: the API's authorizer is then missing.
    """
    request, headers = runtime.request_of(event), _lower(event.get("headers"))
    origin, allowed = headers.get("origin"), services.config.allowed_origins
    if allowed and origin is not None and origin.lower() not in allowed:
        log.warning("origin refused", extra={"origin": origin if _ORIGIN.fullmatch(origin) else None})
        return {"statusCode": 403}
    identity = identity_of(request)
    if services.config.tokens and identity is None:
        log.error("no authorizer ran: `nwchatctl deploy` mends it")
        return {"statusCode": 403}
    # In open mode the client has not sent a name yet, so only the address is checked.
    if (ban := active_ban(request, services.store.bans, services.now_ms(), log)) is not None:
        log.warning("banned", extra=ban_fields(ban, request, services.log_hash))
        return {"statusCode": 403}
    if not _is_within_cap(request, services, log):
        log.warning("too many connections of one address")
        return {"statusCode": 429}
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


def _is_within_cap(request: Mapping[str, object], services: Services, log: Log) -> bool:
    """Add the connection to those of its address; False when the address has too many.

    True, with a warning in the log, when that cannot be counted: an outage must not keep everyone out.
    """
    connection_id, room, now_ms = request.get("connectionId"), address_room(request), services.now_ms()
    if not connection_id or not room:
        return True
    since, most = runtime.connected_at(request, now_ms), services.config.limits.address_connections
    try:
        return services.budgets.add_socket(room, str(connection_id), since, now_ms, most)
    except Exception:
        log.warning("the connections of an address cannot be counted: no client is refused", exc_info=True)
        return True


def _connection(
    connection_id: str,
    request: Mapping[str, object],
    headers: Mapping[str, str],
    now_ms: int,
    identity: Identity | None,
) -> Connection:
    since = runtime.connected_at(request, now_ms)
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


if cold_start.in_init_phase():
    runtime.services()
