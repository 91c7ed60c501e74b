"""GET over HTTP, as a player's browser does it, but straight: who is asked may not send a token elsewhere."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request

from nwchatctl import __version__
from nwchatctl.chat.smoke_test import HistoryResponse

_MOST = 8 * 1024 * 1024
"""Bytes of an answer that are read: more than a function can give."""


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib sends `Authorization` along, whatever host it is to."""

    def redirect_request(self, *_: object) -> None:
        return None


def get(
    url: str, seconds: float, *, direct: bool = False, host: str = "", token: str = ""
) -> HistoryResponse:
    """The answer, whatever its status, `direct` past any proxy of the environment: the sandbox is on this
    machine. `host` is asked for instead of the address's, `token` is who asks, "" for anybody.

    Raises OSError where none has come as a whole after `seconds`, or none that is HTTP, and for a redirect.
    """
    headers = {"User-Agent": f"nwchatctl/{__version__}"}
    if host:
        headers["Host"] = host
    if token:
        headers["Authorization"] = f"Bearer {token}"
    wanted = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    proxies = (urllib.request.ProxyHandler({}),) if direct else ()
    opener = urllib.request.build_opener(_Straight(), *proxies)
    found: list[HistoryResponse | OSError] = []

    def ask() -> None:
        try:
            found.append(_answer(opener, wanted, seconds))
        except OSError as error:
            found.append(error)
        except (http.client.HTTPException, ValueError) as error:
            found.append(OSError(f"no HTTP answer: {type(error).__name__}"))

    # A thread, as a socket's timeout is for each read: what comes in drops is never late.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    match found:
        case [HistoryResponse() as answer]:
            return answer
        case [OSError() as error]:
            raise error
        case _:
            raise TimeoutError(f"no whole answer within {seconds:g} s")


def _answer(
    opener: urllib.request.OpenerDirector, wanted: urllib.request.Request, seconds: float
) -> HistoryResponse:
    try:
        answer = opener.open(wanted, timeout=seconds)
    except urllib.error.HTTPError as error:
        answer, status = error, error.code
    else:
        status = answer.status
    with answer:
        if 300 <= status < 400:
            raise OSError(f"HTTP {status}, which leads to {str(answer.headers.get('Location'))[:200]}")
        return HistoryResponse(status, answer.read(_MOST).decode("utf-8", "replace"))
