"""What must be mended in ministack 1.5.33 for a chat to live on it. Each mend says what AWS does instead."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from ministack import app as ministack_app
from ministack.core import lambda_runtime, persistence
from ministack.services import apigateway

logger = logging.getLogger("nwchatctl.sandbox")

DEFAULT_ROUTE = "$default"
# Environments of one function that run at the same time; on a laptop more of them only get in each other's way.
MAX_WORKERS = 4
_TRIES = 3

_save_lock = threading.Lock()
_select = apigateway._evaluate_route_selection


def select_route(expression: str, frame: str) -> str:
    """The route of a frame. JSON too deep to parse ends the socket in ministack and is `$default` on AWS, as
    any frame that no route is found for; so are `$connect` and `$disconnect`, which no frame can ask for."""
    try:
        route = str(_select(expression, frame))
    except RecursionError:
        return DEFAULT_ROUTE
    return DEFAULT_ROUTE if route.startswith("$") else route


class Environments:
    """The execution environments of one function as `_invoke_ws_lambda` sees them.

    ministack runs all socket events of a function one after another, so that one slow event holds up every
    other socket; and the text of an exception in a function reaches the client. On AWS events run side by
    side, and the client sees `Internal server error` (for $connect: a refused handshake).
    """

    _gates: dict[str, threading.BoundedSemaphore] = {}  # noqa: RUF012 - shared by design, one for each function

    def __init__(self, name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST") -> None:
        self._function = (name, config, code, qualifier)
        key = f"{config.get('FunctionArn', name)}:{qualifier}"
        self._gate = self._gates.setdefault(key, threading.BoundedSemaphore(MAX_WORKERS))

    def invoke(self, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        name, config, code, qualifier = self._function
        with self._gate:
            worker, _ = lambda_runtime.acquire_worker(name, config, code, qualifier=qualifier)
            try:
                result: dict[str, Any] = worker.invoke(event, request_id)
            except Exception as error:
                # The environment died while it started: a broken import, a missing handler.
                result = {"status": "error", "error": str(error)}
            finally:
                lambda_runtime.release_worker(worker)
        if result.get("status") != "error":
            return result
        logger.warning("%s failed: %s", name, result.get("trace") or result.get("error"))
        context = event["requestContext"]
        frame = {
            "message": "Internal server error",
            "connectionId": context["connectionId"],
            "requestId": context["requestId"],
        }
        return {"status": "ok", "result": {"statusCode": 500, "body": json.dumps(frame)}}


def save_state() -> bool:
    """Writes every loaded service's state to disk; False when one changed too often to be copied whole.

    Called from the saving thread and, when the server stops, from the loop's.
    """
    complete = True
    with _save_lock:
        for name, get_state in ministack_app._build_persistence_save_dict().items():
            state = _copy(name, get_state)
            complete &= state is not _TORN
            if state is not None and state is not _TORN:
                persistence.save_state(name, state)
    return complete


_TORN = object()


def _copy(name: str, get_state: Any) -> Any:
    for _ in range(_TRIES):
        try:
            return get_state()
        except RuntimeError:  # a dictionary changed its size while it was copied
            continue
        except Exception:
            logger.exception("the state of %s could not be read", name)
            return None
    return _TORN


def install() -> None:
    apigateway._evaluate_route_selection = select_route
    lambda_runtime.get_or_create_worker = Environments
    # ministack's own save when it stops must not meet ours half-way through the same files.
    ministack_app.save_all = lambda _services: save_state()
