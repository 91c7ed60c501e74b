"""How hosts are reached: certificates, proxies and kinds of endpoints, decided once for all clients.

boto3, the transports to @connections, the WebSocket client and the HTTP client use one `Network`, so that
what works for `deploy` works for `smoke` and `broadcast`.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from nwchat.aws.tls import client_context
from nwchatctl.errors import ChatError, Exit
from nwchatctl.net.proxies import Proxies, proxies_of

_CA_VARIABLES = ("AWS_CA_BUNDLE", "", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""What names the certificates to trust, first to last; "" stands for the profile's `ca_bundle`. botocore
reads the first three in this order, OpenSSL the last one."""

CERTIFICATE_HINT = (
    "if the network inspects TLS, set AWS_CA_BUNDLE (or ca_bundle of the profile) to a file with the "
    "certificates of that CA; otherwise check HTTPS_PROXY and the network"
)

_UNTRUSTED = (18, 19, 20, 21)
"""OpenSSL's codes for a chain that ends at no certificate that is trusted (X509_V_ERR_*)."""

_FIPS_PARTITION = "aws-us-gov"


@dataclass(frozen=True, slots=True)
class Network:
    """How hosts are reached. `ca_file` is a PEM file of the certificates to trust, "" for the system's, and
    `ca_origin` what named it, "" for the default. `fips` and `dualstack` choose the endpoints of AWS's
    services."""

    ca_file: str = ""
    ca_origin: str = ""
    proxies: Proxies = field(default_factory=Proxies)
    fips: bool = False
    dualstack: bool = False

    def check_fips(self, partition: str) -> None:
        """Raises ChatError `fips_unavailable`, exit 3, if FIPS endpoints are asked for and the addresses of
        APIs are none.

        API Gateway has FIPS endpoints for changing APIs, but documents none below which an API is called. The
        addresses in GovCloud comply as they are ("Amazon API Gateway in AWS GovCloud (US)").
        """
        if self.fips and partition != _FIPS_PARTITION:
            raise ChatError(
                "FIPS endpoints are asked for (AWS_USE_FIPS_ENDPOINT, or use_fips_endpoint of the profile), "
                "and API Gateway has none for the chat's own addresses in this Region",
                hint="use a Region of AWS GovCloud (US), or set AWS_USE_FIPS_ENDPOINT=false for this command",
                code="fips_unavailable",
                exit_code=Exit.CONFIG,
            )

    def tls_context(self) -> ssl.SSLContext:
        """A new client context that trusts these certificates. Raises OSError."""
        return client_context(self.ca_file or None)


DIRECT = Network()
"""For the sandbox: it is on this machine, so the environment says nothing about the way there."""


def decide(
    environ: Mapping[str, str], profile: Mapping[str, object], profile_name: str, default_ca: str
) -> Network:
    """The network of the environment and of a profile of ~/.aws/config. `default_ca` is the file of
    certificates that is trusted if nothing names another one."""
    file, origin = default_ca, ""
    for variable in _CA_VARIABLES:
        value = environ.get(variable, "") if variable else str(profile.get("ca_bundle") or "")
        if value.strip():
            file, origin = value, variable or f"ca_bundle of the profile {profile_name}"
            break
    return Network(
        ca_file=file,
        ca_origin=origin,
        proxies=proxies_of(environ),
        fips=_flag(environ, profile, "use_fips_endpoint"),
        dualstack=_flag(environ, profile, "use_dualstack_endpoint"),
    )


def check_certificates(network: Network) -> None:
    """Raises ChatError `ca_bundle`, exit 3, if the file of certificates that was named cannot be used."""
    if not network.ca_origin:
        return
    try:
        network.tls_context()
    except OSError as error:
        reason = "it has no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ChatError(
            f"the certificates in {network.ca_file} ({network.ca_origin}) cannot be read: {reason}",
            hint=f"set {network.ca_origin} to a file of PEM certificates, or remove it",
            code="ca_bundle",
            exit_code=Exit.CONFIG,
        ) from error


def is_untrusted(error: ssl.SSLError) -> bool:
    """Whether a certificate was refused for who has issued it, as one of an inspecting proxy is."""
    return getattr(error, "verify_code", 0) in _UNTRUSTED


def _flag(environ: Mapping[str, str], profile: Mapping[str, object], name: str) -> bool:
    value = environ.get(f"AWS_{name.upper()}", profile.get(name, ""))
    return str(value).strip().lower() == "true"
