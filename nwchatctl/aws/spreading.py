"""A message to all, handed to the chat's `fanout` function segment by segment, by the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nwchat.invoking import Invoker, Missed
from nwchat.segments import Segment
from nwchatctl.deploy.model import alias_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def spread(client: LambdaClient, function: str, segments: Sequence[Segment]) -> list[Missed]:
    """Invokes the live `function` once for each segment, asynchronously; gives back what Lambda did not take.

    `segments` are `nwchat.segments.cut`'s. Raises Lambda's ResourceNotFoundException, before anything is
    sent, where there is no such function or no live alias, and its other refusals of that first look.
    """
    name = alias_name(function)
    # Asked first: of a hundred segments, each would fail for the same reason.
    client.invoke(FunctionName=name, InvocationType="DryRun")
    return Invoker(client, name).hand_over_all(segments)
