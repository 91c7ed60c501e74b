"""botocore's HTTP client, with the certificates and the proxies that all clients of the tool have."""

from __future__ import annotations

from ssl import SSLContext
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ProxyConnectionError
from botocore.httpsession import ProxyConfiguration, URLLib3Session

from nwchat.aws.tls import verify_alike
from nwchatctl.net.proxies import public_address

if TYPE_CHECKING:
    from nwchatctl.net.network import Network


class _Proxies(ProxyConfiguration):
    """Decides for each URL, while botocore decides for each client."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def proxy_url_for(self, url: str) -> Any:
        """The proxy for `url`, None for none. Raises UnsupportedProxy."""
        return self._network.proxies.for_url(url) or None


class HttpSession(URLLib3Session):
    """The HTTP client of one boto3 client."""

    def __init__(self, network: Network, **options: Any) -> None:
        # Before the contexts are made.
        self._network = network
        verify: Any = network.ca_file or True
        super().__init__(verify=verify, **options)
        self._proxy_config = _Proxies(network)

    def send(self, request: Any) -> Any:
        """Send a request. Raises botocore's errors; none of them has the password of a proxy.

        botocore replaces the first occurrence of user and password in the URL, which may be another one.
        """
        try:
            return super().send(request)
        except ProxyConnectionError as error:
            proxy = self._network.proxies.for_url(request.url)
            reason = error.kwargs.get("error")
            raise ProxyConnectionError(proxy_url=public_address(proxy), error=reason) from None

    def _get_ssl_context(self) -> SSLContext:
        return verify_alike(cast("SSLContext", super()._get_ssl_context()))  # type: ignore[misc]

    def _setup_proxy_ssl_context(self, proxy_url: str) -> SSLContext | None:
        return self._network.tls_context() if proxy_url.startswith("https:") else None
