"""botocore's service models, limited to the services in use."""

from __future__ import annotations

from nwchatctl.aws.core.raw_items import RawItems
from nwchatctl.net.endpoints import CONNECTIONS, SERVICE_IDS

SERVICES = (
    # The transports call @connections without boto3.
    *(each for each in SERVICE_IDS if each != CONNECTIONS),
    # With these boto3 itself gets credentials: `aws sso login`, `aws login`.
    "signin",
    "sso",
    "sso-oidc",
)


class ServiceModels(RawItems):
    """botocore's loader with a fixed list of services. The original searches the folders of all 400 services,
    once for each kind of data (models, paginators, waiters): 40 ms of a deploy."""

    def list_available_services(self, type_name: str) -> list[str]:
        """SERVICES for any `type_name`; a service without such data is detected later."""
        return list(SERVICES)
