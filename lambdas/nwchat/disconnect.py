"""$disconnect: deletes the row of a closed connection.

AWS invokes it on a best-effort basis, so the rows also expire.
"""

from __future__ import annotations

from nwchat import cold_start, runtime
from nwchat.log import Log
from nwchat.model.budget import address_room
from nwchat.runtime import Event, Response, Services


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns 500 when an error occurs."""
    log = runtime.log_for(event, context)
    try:
        return disconnect(event, runtime.services(), log)
    except Exception:
        log.exception("disconnect failed")
        return {"statusCode": 500}


def disconnect(event: Event, services: Services, log: Log) -> Response:
    """Delete the connection's row, remove it from those of its address, and return 200."""
    request = runtime.request_of(event)
    if connection_id := request.get("connectionId"):
        services.store.remove_connection(str(connection_id))
        if room := address_room(request):
            since = runtime.connected_at(request, 0)
            _remove_from_address(room, str(connection_id), since, services, log)
        log.info("disconnected", extra={"close_code": request.get("disconnectStatusCode")})
    else:
        log.warning("an event without a connection id: nothing to delete")
    return {"statusCode": 200}


def _remove_from_address(
    room: str, connection_id: str, connected_at: int, services: Services, log: Log
) -> None:
    try:
        services.budgets.remove_socket(room, connection_id, connected_at)
    except Exception:
        # It counts until it expires.
        log.warning("the connections of an address cannot be counted", exc_info=True)


if cold_start.in_init_phase():
    runtime.services()
