"""How boto3 reaches AWS: reads the profile, decides on one `Network`, and makes clients that use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.httpsession import get_cert_path

from nwchatctl.aws.core.http_session import HttpSession
from nwchatctl.net.endpoints import Endpoints, check_endpoints, configured_endpoints
from nwchatctl.net.network import Network, check_certificates, decide


def decide_network(core: botocore.session.Session, environ: Mapping[str, str]) -> tuple[Network, Endpoints]:
    """The network and the configured endpoints of the environment and of the session's profile.

    If no file of certificates is configured, those that botocore brings are trusted: they are the same on
    every machine, and Python's own are missing on some. Raises botocore's errors about ~/.aws/config, and
    ChatError `ca_bundle`, `endpoint_invalid` or `endpoints_mixed`, exit 3.
    """
    profile: Mapping[str, Any] = core.get_scoped_config()
    network = decide(environ, profile, core.profile or "default", str(get_cert_path(True)))
    check_certificates(network)
    # The clients that credentials need, as STS to assume a role, are made by botocore itself.
    core.set_config_variable("ca_bundle", network.ca_file)
    sections: Mapping[str, Any] = core.full_config.get("services") or {}
    endpoints = configured_endpoints(environ, profile, sections)
    if endpoints.by_service:
        check_endpoints(endpoints, _suffixes(core), fips=network.fips)
    return network, endpoints


def make_client(make: Any, service: str, endpoint: str, network: Network, **options: Any) -> Any:
    """A client by boto3's `make`, with the `options` of its Config, that connects as `network` says.

    `endpoint` is "" for AWS's own. Raises UnsupportedProxy.
    """
    config = Config(
        # HttpSession decides on proxies.
        proxies={},
        use_fips_endpoint=network.fips,
        use_dualstack_endpoint=network.dualstack,
        **options,
    )
    # botocore would otherwise read the environment, and refuse an empty variable.
    verify = network.ca_file or True
    client = make(service, endpoint_url=endpoint or None, verify=verify, config=config)
    network.proxies.for_url(client.meta.endpoint_url)
    made = client._endpoint.http_session
    client._endpoint.http_session = HttpSession(
        network,
        timeout=(made._timeout.connect_timeout, made._timeout.read_timeout),
        max_pool_connections=made._max_pool_connections,
        socket_options=made._socket_options,
    )
    return client


def _suffixes(core: botocore.session.Session) -> Iterator[str]:
    """The DNS suffixes of all partitions: `amazonaws.com`, `api.aws`."""
    data: Any = core.get_component("data_loader").load_data("endpoints")
    for partition in data["partitions"]:
        yield str(partition["dnsSuffix"])
        for variant in partition["defaults"].get("variants", ()):
            yield str(variant["dnsSuffix"])
