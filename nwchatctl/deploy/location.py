"""The account and Region that a chat is in, and the ARNs and addresses that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from nwchatctl.deploy.model.functions import alias_name


@dataclass(frozen=True, slots=True)
class Location:
    """The account and Region of a chat. `sandbox_url` is the sandbox's base URL (`http://127.0.0.1:4566`), ""
    on AWS; `dns_suffix` is that of the partition, below which AWS's addresses are. `endpoint_url` is the
    endpoint that was configured instead of AWS's (AWS_ENDPOINT_URL), "" for none."""

    account: str
    region: str
    sandbox_url: str = ""
    partition: str = "aws"
    dns_suffix: str = "amazonaws.com"
    endpoint_url: str = ""

    @property
    def place(self) -> str:
        """As people read it: `account 123456789012, us-east-2`."""
        return f"account {self.account}, {self.region}"

    @property
    def api_base(self) -> str:
        """The base URL of an emulator that serves the APIs below it; "" where each has a host of its own."""
        return self.sandbox_url or self.endpoint_url

    def connections_url(self, api_id: str, stage: str) -> str:
        """The @connections base address, stage included, without a trailing slash."""
        if self.api_base:
            return f"{self.api_base}/_aws/execute-api/{api_id}/{stage}"
        return f"https://{self._host(api_id)}/{stage}"

    def websocket_url(self, api_id: str, stage: str) -> str:
        """The address that clients connect to."""
        if self.api_base:
            return self.connections_url(api_id, stage).replace("http", "ws", 1)
        return f"wss://{self._host(api_id)}/{stage}"

    def history_url(self, api_id: str) -> str:
        """The history API's base address, without a trailing slash: `/messages` and `/health` follow."""
        if self.api_base:
            return f"{self.api_base}/_aws/execute-api/{api_id}"
        return f"https://{self._host(api_id)}"

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_arn(self, name: str) -> str:
        """An IAM role's ARN; IAM knows no region."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def queue_arn(self, name: str) -> str:
        """A queue's ARN."""
        return self.arn("sqs", name)

    def alias_arn(self, function: str) -> str:
        """The ARN of a function's live alias."""
        return self.arn("lambda", f"function:{alias_name(function)}")

    def invocation_uri(self, function: str) -> str:
        """The URI of an integration that invokes the function's live alias."""
        path = f"path/2015-03-31/functions/{self.alias_arn(function)}/invocations"
        return f"arn:{self.partition}:apigateway:{self.region}:lambda:{path}"

    @property
    def gateway_domain(self) -> str:
        """The domain of API Gateway's addresses in this Region."""
        return f"execute-api.{self.region}.{self.dns_suffix}"

    def _host(self, api_id: str) -> str:
        return f"{api_id}.{self.gateway_domain}"
