"""The stage's access log: what a line of it says, and the role that API Gateway needs to write it. Pure.

API Gateway logs with one role for the whole account in a Region (aws-facts: "Deployments and stages"), so
that role is nobody's chat's: it is made and set only when asked for, and never taken away.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "connectionId": "$context.connectionId",
        "eventType": "$context.eventType",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "requestTimeEpoch": "$context.requestTimeEpoch",
        "sourceIp": "$context.identity.sourceIp",
        "error": "$context.error.message",
        "integrationRequestId": "$context.integration.requestId",
        "integrationStatus": "$context.integration.status",
        "integrationLatency": "$context.integration.latency",
        "integrationError": "$context.integration.error",
    },
    separators=(",", ":"),
)
"""One JSON object a request, on one line; what a request has not is `-`. No query strings, headers or bodies:
they hold tokens, and what people say. (The variables: "Configure logging for WebSocket APIs".)"""
