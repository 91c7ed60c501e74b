"""The transport and the credentials for requests to @connections; certificates and proxies are those of all
clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError

from nwchat.aws.signing import Credentials
from nwchat.delivery.socket_transport import SocketTransport
from nwchatctl.net.http_proxy import parse_proxy

if TYPE_CHECKING:
    from nwchat.delivery.socket_transport import Transport
    from nwchatctl.aws.core.session import Aws


def transport(aws: Aws) -> Transport:
    """A libcurl transport, or one of the standard library if pycurl is not installed. The caller closes
    it."""
    network = aws.network
    try:
        from nwchatctl.net.curl_transport import CurlTransport  # noqa: PLC0415 - pycurl may be missing
    except ImportError:
        return SocketTransport(
            verify=network.tls_context(), proxy=lambda url: parse_proxy(network.proxies.for_url(url))
        )
    return CurlTransport(ca_bundle=network.ca_file, proxy=network.proxies.for_url)


def credentials(aws: Aws) -> Credentials:
    """The session's credentials, refreshed if they are about to expire. Raises botocore's errors."""
    found = aws.session.get_credentials()
    if found is None:
        raise NoCredentialsError
    keys = found.get_frozen_credentials()
    return Credentials(str(keys.access_key), str(keys.secret_key), keys.token or "")
