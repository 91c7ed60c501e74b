"""The transport and the credentials for requests to @connections; CA bundle and proxies are boto3's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path

from nwchat.aws.signing import Credentials
from nwchat.aws.tls import client_context
from nwchat.delivery.socket_transport import SocketTransport
from nwchatctl.net.http_proxy import parse_proxy

if TYPE_CHECKING:
    from nwchat.delivery.socket_transport import Transport
    from nwchatctl.aws.core.session import Aws


def transport(aws: Aws) -> Transport:
    """A libcurl transport, or one of the standard library if pycurl is not installed. The caller closes
    it."""
    # As botocore: AWS_CA_BUNDLE, the profile's ca_bundle, or the certificates that it comes with.
    bundle = str(aws.session._session.get_config_variable("ca_bundle") or get_cert_path(True))
    # The sandbox runs on this machine, so a proxy cannot reach it.
    proxy = (lambda _: "") if aws.access.endpoint else _proxy
    try:
        from nwchatctl.net.curl_transport import CurlTransport  # noqa: PLC0415 - pycurl may be missing
    except ImportError:
        return SocketTransport(verify=client_context(bundle), proxy=lambda url: parse_proxy(proxy(url)))
    return CurlTransport(ca_bundle=bundle, proxy=proxy)


def credentials(aws: Aws) -> Credentials:
    """The session's credentials, refreshed if they are about to expire. Raises botocore's errors."""
    found = aws.session.get_credentials()
    if found is None:
        raise NoCredentialsError
    keys = found.get_frozen_credentials()
    return Credentials(str(keys.access_key), str(keys.secret_key), keys.token or "")


def _proxy(url: str) -> str:
    """The proxy for `url` from HTTPS_PROXY and the like, unless NO_PROXY excludes it: as botocore reads
    them."""
    scheme, _, host = url.partition("://")
    return "" if proxy_bypass(host) else getproxies().get(scheme, "")
