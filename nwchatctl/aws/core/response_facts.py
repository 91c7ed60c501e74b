"""Adds what explains an error to the response of each failed call: see RefusalFacts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from nwchatctl.aws.core.error_context import FACTS, RefusalFacts, clock_offset

_RESOURCE = "nwchatctl_resource"


def now_ms() -> int:
    """This machine's time, epoch ms."""
    return time.time_ns() // 1_000_000


def record_facts(client: Any, local_ms: Callable[[], int] = now_ms) -> None:
    """Adds RefusalFacts to the error responses to this client; `local_ms` is this machine's clock, epoch
    ms."""
    region = str(client.meta.region_name or "")

    def on_start(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
        context[_RESOURCE] = resource_text(params)

    def on_end(http_response: Any, parsed: Any, model: Any, context: Mapping[str, Any], **_: object) -> None:
        if http_response.status_code < 300:
            return
        metadata = parsed.setdefault("ResponseMetadata", {})
        metadata[FACTS] = RefusalFacts(
            model.service_model.service_name,
            region,
            context.get(_RESOURCE, ""),
            clock_offset(metadata.get("HTTPHeaders", {}), local_ms()),
        )

    client.meta.events.register("before-parameter-build.*.*", on_start)
    client.meta.events.register("after-call.*.*", on_end)


def resource_text(params: Mapping[str, Any]) -> str:
    """The table or the function that a call is about, as "table NAME" or "function NAME"; "" for others."""
    if function := params.get("FunctionName"):
        # An ARN, or a name with its alias, ends in `:live`.
        name = str(function).partition(":function:")[2] or str(function)
        return f"function {name.partition(':')[0]}"
    if table := params.get("TableName") or next(iter(params.get("RequestItems") or ()), None):
        return f"table {table}"
    for item in params.get("TransactItems") or ():
        for write in item.values():
            return f"table {write.get('TableName', '')}"
    return ""
