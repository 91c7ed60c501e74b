"""The formats of the stages' access logs. Pure.

API Gateway logs with one role for the whole account in a Region (aws-facts: "Deployments and stages"), so
that role belongs to no chat: it is set only on request, and never removed.
"""

from __future__ import annotations

import json

FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "connectionId": "$context.connectionId",
        "eventType": "$context.eventType",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "requestTimeEpoch": "$context.requestTimeEpoch",
        "error": "$context.error.message",
        "integrationRequestId": "$context.integration.requestId",
        "integrationStatus": "$context.integration.status",
        "integrationLatency": "$context.integration.latency",
        "integrationError": "$context.integration.error",
    },
    separators=(",", ":"),
)
"""One JSON object per request, on one line; a missing value is `-`. No query strings, headers or bodies: they
contain tokens and message texts. No addresses, which API Gateway cannot hash; the connection id leads to the
row with the address as long as that exists. (The variables: "Configure logging for WebSocket APIs".)"""

HISTORY_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "requestTimeEpoch": "$context.requestTimeEpoch",
        "responseLatency": "$context.responseLatency",
        "responseLength": "$context.responseLength",
        "error": "$context.error.message",
        "integrationRequestId": "$context.integration.requestId",
        "integrationStatus": "$context.integration.status",
        "integrationLatency": "$context.integration.latency",
        "integrationError": "$context.integrationErrorMessage",
    },
    separators=(",", ":"),
)
"""The same for the history API. (The variables: "Customize HTTP API access logs".)"""
