"""Where Lambda sends events of asynchronous invocations that failed, and how often it retries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.aws.core.retry import with_retries
from nwchatctl.deploy.model.functions import ALIAS, AsyncInvoke, alias_name

if TYPE_CHECKING:
    from typing import Any

    from mypy_boto3_lambda import LambdaClient


class AsyncInvokes:
    """Reads and changes what becomes of events that a function's live alias fails on."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def read(self, function: str) -> AsyncInvoke | None:
        """As it is set; None where nothing is, or there is no function or alias."""
        try:
            found: Any = self._client.get_function_event_invoke_config(FunctionName=function, Qualifier=ALIAS)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        destinations = found.get("DestinationConfig", {})
        return AsyncInvoke(
            name=alias_name(function),
            function=function,
            # What is not set is as Lambda does it by itself.
            retries=found.get("MaximumRetryAttempts", 2),
            max_age_seconds=found.get("MaximumEventAgeInSeconds", 21_600),
            on_failure=destinations.get("OnFailure", {}).get("Destination", ""),
            on_success=destinations.get("OnSuccess", {}).get("Destination", ""),
        )

    def put(self, wanted: AsyncInvoke) -> None:
        """Sets it, whatever was set before."""
        destinations: Any = {
            name: {"Destination": arn} if arn else {}
            for name, arn in (("OnFailure", wanted.on_failure), ("OnSuccess", wanted.on_success))
        }
        with_retries(
            self._client.put_function_event_invoke_config,
            FunctionName=wanted.function,
            Qualifier=ALIAS,
            MaximumRetryAttempts=wanted.retries,
            MaximumEventAgeInSeconds=wanted.max_age_seconds,
            DestinationConfig=destinations,
        )
