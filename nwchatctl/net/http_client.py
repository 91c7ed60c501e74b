"""HTTP GET without redirects, as a player's browser sends it."""

from __future__ import annotations

import base64
import http.client
import threading
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit

from nwchatctl import __version__
from nwchatctl.chat.smoke_test import HistoryResponse
from nwchatctl.net.network import Network
from nwchatctl.net.proxies import public_address

_MAX_BYTES = 8 * 1024 * 1024
"""Maximum number of response bytes that are read: more than a function can return."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirects: urllib would send `Authorization` to any host."""

    def redirect_request(self, *_: object) -> None:
        """Return no request, so that urllib reports the redirect as an error."""
        return None


def get(url: str, seconds: float, *, network: Network, host: str = "", token: str = "") -> HistoryResponse:
    """Send a GET request and return the response, whatever its status.

    `network` has the certificates to trust and the proxies. `host` replaces the URL's host in the Host
    header. `token` is sent as a bearer token, "" for none. Raises OSError when no complete HTTP response
    arrives within `seconds`, and for a redirect.
    """
    # urllib would take the proxy's name for the Host header.
    headers = {"User-Agent": f"nwchatctl/{__version__}", "Host": host or urlsplit(url).netloc}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the URL is the chat's own
    opener = urllib.request.build_opener(
        _NoRedirects(), *_https_handlers(url, network), urllib.request.ProxyHandler({})
    )
    _set_proxy(request, network.proxies.for_url(url))
    results: list[HistoryResponse | OSError] = []

    def ask() -> None:
        try:
            results.append(_read_response(opener, request, seconds))
        except OSError as error:
            results.append(error)
        except (http.client.HTTPException, ValueError) as error:
            results.append(OSError(f"no HTTP answer: {type(error).__name__}"))

    # A thread limits the total time: a socket's timeout applies to each read only.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    match results:
        case [HistoryResponse() as response]:
            return response
        case [OSError() as error]:
            raise error
        case _:
            raise TimeoutError(f"no whole answer within {seconds:g} s")


def _set_proxy(request: urllib.request.Request, proxy: str) -> None:
    """Makes a request go through `proxy`, "" for none. Raises OSError for one that speaks TLS itself.

    urllib's own handler for proxies would read NO_PROXY once more.
    """
    if not proxy:
        return
    parts = urlsplit(proxy)
    if parts.scheme != "http":
        raise OSError(
            f"the proxy {public_address(proxy)} cannot be used for HTTP requests: name it as http://"
        )
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Proxy-Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    request.set_proxy(parts.netloc.rpartition("@")[2], "http")


def _https_handlers(url: str, network: Network) -> tuple[urllib.request.HTTPSHandler, ...]:
    if not url.startswith("https:"):
        return ()
    context = network.tls_context()
    # http.client does this only for a context that it creates itself.
    context.set_alpn_protocols(["http/1.1"])
    return (urllib.request.HTTPSHandler(context=context),)


def _read_response(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, seconds: float
) -> HistoryResponse:
    try:
        response = opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        response, status = error, error.code
    else:
        status = response.status
    with response:
        if 300 <= status < 400:
            raise OSError(f"HTTP {status}, which leads to {str(response.headers.get('Location'))[:200]}")
        return HistoryResponse(status, response.read(_MAX_BYTES).decode("utf-8", "replace"))
