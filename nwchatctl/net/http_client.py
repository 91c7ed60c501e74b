"""GET over HTTP, as a player's browser does it, but straight: who is asked may not send a token elsewhere."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request

from nwchatctl import __version__
from nwchatctl.chat.smoke_test import HttpAnswer

_MAX_BYTES = 8 * 1024 * 1024
"""Bytes of an answer that are read: more than a function can give."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib sends `Authorization` along, whatever host it is to."""

    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str, seconds: float, *, direct: bool = False, host: str = "", token: str = "") -> HttpAnswer:
    """The answer, whatever its status, `direct` past any proxy of the environment: the sandbox is on this
    machine. `host` is asked for instead of the address's, `token` is who asks, "" for anybody.

    Raises OSError where none has come as a whole after `seconds`, or none that is HTTP, and for a redirect.
    """
    headers = {"User-Agent": f"nwchatctl/{__version__}"}
    if host:
        headers["Host"] = host
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    proxies = (urllib.request.ProxyHandler({}),) if direct else ()
    opener = urllib.request.build_opener(_NoRedirects(), *proxies)
    results: list[HttpAnswer | OSError] = []

    def ask() -> None:
        try:
            results.append(_read_response(opener, request, seconds))
        except OSError as error:
            results.append(error)
        except (http.client.HTTPException, ValueError) as error:
            results.append(OSError(f"no HTTP answer: {type(error).__name__}"))

    # A thread, as a socket's timeout is for each read: what comes in drops is never late.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    match results:
        case [HttpAnswer() as response]:
            return response
        case [OSError() as error]:
            raise error
        case _:
            raise TimeoutError(f"no whole answer within {seconds:g} s")


def _read_response(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, seconds: float
) -> HttpAnswer:
    try:
        response = opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        response, status = error, error.code
    else:
        status = response.status
    with response:
        if 300 <= status < 400:
            raise OSError(f"HTTP {status}, which leads to {str(response.headers.get('Location'))[:200]}")
        return HttpAnswer(status, response.read(_MAX_BYTES).decode("utf-8", "replace"))
