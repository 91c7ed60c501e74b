"""A message to all, handed to the chat's `fanout` function segment by segment, by the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nwchat.invoking import Invoker, Missed
from nwchat.segments import Segment
from nwchatctl.deploy.model.functions import alias_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def look(client: LambdaClient, function: str) -> None:
    """Raises Lambda's ResourceNotFoundException where there is no live `function`, and its other refusals.

    To be asked before anything is sent: of a hundred segments, each would fail for the same reason.
    """
    client.invoke(FunctionName=alias_name(function), InvocationType="DryRun")


def spread(client: LambdaClient, function: str, segments: Sequence[Segment]) -> list[Missed]:
    """Invokes the live `function` once for each segment, asynchronously; gives back what Lambda did not take.

    `segments` are `nwchat.segments.cut`'s.
    """
    return Invoker(client, alias_name(function)).hand_over_all(segments)
