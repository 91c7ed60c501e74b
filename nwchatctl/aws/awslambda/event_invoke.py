"""The settings for asynchronous invocations: retries, and the destinations of failed events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.aws.core.retry import with_retries
from nwchatctl.deploy.model.functions import ALIAS, AsyncInvoke, alias_name

if TYPE_CHECKING:
    from typing import Any

    from mypy_boto3_lambda import LambdaClient


class AsyncInvokes:
    """Reads and changes the settings of a function's live alias."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def read(self, function: str) -> AsyncInvoke | None:
        """The settings; None if there are none, or no function or alias."""
        try:
            found: Any = self._client.get_function_event_invoke_config(FunctionName=function, Qualifier=ALIAS)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        destinations = found.get("DestinationConfig", {})
        return AsyncInvoke(
            name=alias_name(function),
            function=function,
            # The defaults are Lambda's own.
            retries=found.get("MaximumRetryAttempts", 2),
            max_age_seconds=found.get("MaximumEventAgeInSeconds", 21_600),
            on_failure=destinations.get("OnFailure", {}).get("Destination", ""),
            on_success=destinations.get("OnSuccess", {}).get("Destination", ""),
        )

    def put(self, wanted: AsyncInvoke) -> None:
        """Replaces the settings."""
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
