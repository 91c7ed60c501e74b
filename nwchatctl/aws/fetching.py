"""GET over HTTP, as a player's browser does it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from nwchatctl import __version__
from nwchatctl.chat.smoke import Answer

_MOST = 8 * 1024 * 1024
"""Bytes of an answer that are read: more than a function can give."""


def get(url: str, seconds: float, *, direct: bool = False, host: str = "", token: str = "") -> Answer:
    """The answer, whatever its status, `direct` past any proxy of the environment: the sandbox is on this
    machine. `host` is asked for instead of the address's, `token` is who asks, "" for anybody. Raises OSError
    where none comes within `seconds`, or none that is HTTP."""
    headers = {"User-Agent": f"nwchatctl/{__version__}"}
    if host:
        headers["Host"] = host
    if token:
        headers["Authorization"] = f"Bearer {token}"
    wanted = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    proxies = (urllib.request.ProxyHandler({}),) if direct else ()
    opener = urllib.request.build_opener(*proxies)
    try:
        with opener.open(wanted, timeout=seconds) as answer:
            return Answer(answer.status, answer.read(_MOST).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(_MOST).decode("utf-8", "replace"))
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from error
