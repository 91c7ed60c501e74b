"""Tags of APIs and stages are visible to reads some time after they were changed (rule `attributes_visible`).

The conditions of policies see the new tags at once, as do the tags of a resource that is just created.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import unquote

from ministack.services import apigateway

from nwchatctl.sandbox import limits

_TAGS = re.compile(r"/v2/tags/(.+)")
_TAGGED = re.compile(r"/v2/apis(?:/([^/]+)(?:/stages(?:/[^/]+)?)?)?/?")

_handle = apigateway.handle_request
_earlier: dict[str, tuple[float, dict[str, str]]] = {}
"""ARN → until when reads show its earlier tags (on the monotonic clock), and these."""


async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """A call of API Gateway's control plane, whose reads may show earlier tags."""
    wait, tags = limits.current().value("attributes_visible"), _TAGS.fullmatch(path)
    arn = unquote(tags[1]) if tags else ""
    before = dict(apigateway._api_tags.get(arn, {}))
    response = await _handle(method, path, headers, body, query)
    if wait is None or response[0] >= 300:
        return response
    if arn and method != "GET":
        _earlier[arn] = (time.monotonic() + wait, _shown(arn, before))
    elif method == "GET" and _earlier and (arn or _TAGGED.fullmatch(path)):
        return (*response[:2], _with_earlier_tags(arn, path, json.loads(response[2])))
    return response


def _shown(arn: str, current: dict[str, str]) -> dict[str, str]:
    until, tags = _earlier.get(arn, (0.0, {}))
    return tags if time.monotonic() < until else current


def _with_earlier_tags(arn: str, path: str, answer: dict[str, Any]) -> bytes:
    if arn:
        answer["tags"] = _shown(arn, answer.get("tags", {}))
        return json.dumps(answer).encode()
    found = _TAGGED.fullmatch(path)
    for each in answer.get("items", [answer]):
        stage = ["stages", each["stageName"]] if "stageName" in each else []
        api_id = each.get("apiId") or (found and found[1])
        if "tags" in each:
            each["tags"] = _shown(apigateway._api_resource_arn(api_id, *stage), each["tags"])
    return json.dumps(answer).encode()


def install() -> None:
    global _handle  # noqa: PLW0603 - the calls go to the patches before this one
    _handle = apigateway.handle_request
    apigateway.handle_request = handle
