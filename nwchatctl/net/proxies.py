"""Which HTTP proxy a URL is reached through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as boto3 reads them.

ALL_PROXY and SOCKS_PROXY are not read: boto3 and the AWS CLI ignore them too. A URL of a proxy may contain a
password, so no error and no repr shows more of it than scheme, host and port.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class UnsupportedProxy(OSError):
    """The proxy for a URL cannot be used: it is a SOCKS proxy, or its address is not valid.

    An OSError, so that a client that cannot connect for this reason fails as for any other.
    """


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies by the scheme of the URL, "" for none. `no_proxy` lists hosts and domains, comma separated.

    `of_system` asks urllib instead: on macOS, the network settings count if the environment has no proxies.
    """

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""
    of_system: bool = False

    def for_url(self, url: str) -> str:
        """The URL of the proxy for `url` (http, https, ws or wss), "" for none. Raises UnsupportedProxy."""
        parts = urlsplit(url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if self.of_system:
            bypassed = bool(urllib.request.proxy_bypass(parts.netloc))
            proxy = urllib.request.getproxies().get(scheme, "")
        else:
            # typeshed lacks it.
            excludes: Any = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
            bypassed = bool(excludes(parts.netloc, {"no": self.no_proxy}))
            proxy = {"http": self.http, "https": self.https}.get(scheme, "")
        return (
            "" if bypassed or not proxy else _checked(proxy, f"{scheme.upper()}_PROXY", parts.hostname or "")
        )


def proxies_of(environ: Mapping[str, str], platform: str = sys.platform) -> Proxies:
    """The proxies that the environment names. A lower-case variable counts before one in upper case, and an
    empty one stands for no proxy."""
    http, https, no_proxy = (_variable(environ, each) for each in ("http_proxy", "https_proxy", "no_proxy"))
    named = http or https or no_proxy
    return Proxies(http, https, no_proxy, of_system=platform == "darwin" and not named)


def public_address(proxy: str) -> str:
    """Scheme, host and port of a proxy's URL, without its user and password."""
    try:
        parts = _split(proxy)
        return f"{parts.scheme}://{parts.hostname or '?'}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "an invalid address"


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, environ.get(name.upper(), "")).strip()


def _split(proxy: str) -> SplitResult:
    return urlsplit(proxy if "://" in proxy else f"http://{proxy.lstrip('/')}")


def _checked(proxy: str, variable: str, host: str) -> str:
    """The proxy's URL with scheme and port; libcurl's default port has changed between versions. Raises
    UnsupportedProxy, also for an address that a client's library would refuse with an error that shows all of
    it."""
    way_out = f"set {variable} to an HTTP proxy (http://HOST:PORT), or add {host} to NO_PROXY"
    try:
        parts = _split(proxy)
        valid = bool(parts.hostname) and parts.port != 0 and not any(each.isspace() for each in proxy)
    except ValueError:
        valid = False
    if not valid:
        raise UnsupportedProxy(f"{variable} is not the address of a proxy: {way_out}")
    if parts.scheme not in _DEFAULT_PORTS:
        kind = "a SOCKS proxy" if parts.scheme.startswith("socks") else "a proxy of an unknown kind"
        raise UnsupportedProxy(
            f"{variable} names {kind}, which is not supported ({public_address(proxy)}): {way_out}"
        )
    if parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{_DEFAULT_PORTS[parts.scheme]}")
    return parts.geturl()
