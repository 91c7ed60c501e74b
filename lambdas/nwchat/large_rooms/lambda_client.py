"""Asynchronous invocations of a Lambda function, without boto3."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from nwchat.aws.service_client import ServiceClient

_PATH = "/2015-03-31/functions"


class LambdaInvoker(ServiceClient):
    """A client of Lambda. Thread-safe."""

    service = "lambda"

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        """As boto3's method: returns when Lambda has queued the event. `FunctionName` may have an alias.

        Raises AwsError, NoAwsResponse, and LookupError without credentials.
        """
        headers = {"x-amz-invocation-type": InvocationType, **_trace_header()}
        path = f"{_PATH}/{quote(FunctionName, safe='')}"
        answer = self.send("Invoke", self.signer("POST", path, headers), "invocations", Payload)
        return {"StatusCode": answer.status}


def _trace_header() -> dict[str, str]:
    """The header by which Lambda counts invocations in a chain, and stops one without an end.

    As botocore sends it (Lambda developer guide, "Recursive loop detection").
    """
    trace_id = os.environ.get("_X_AMZN_TRACE_ID", "")
    return {"x-amzn-trace-id": quote(trace_id, safe="-=;:+&[]{}\"',")} if trace_id else {}
