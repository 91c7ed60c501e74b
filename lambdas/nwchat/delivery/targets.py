"""Targets of requests about connections: API Gateway's @connections and the connections table.

Both use the HTTP status and the text of the response: a response of @connections may lack `x-amzn-ErrorType`
(botocore then reports "410" as the code).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from nwchat.aws.signing import Credentials, SignedRequest, Signer, sha256_hex
from nwchat.delivery.outcome import Delivered, Gone, Open, Outcome, Refused, RetryableResponse
from nwchat.model.rows import Recipient
from nwchat.values import replace

_DELIVERED = Delivered()
_GONE = Gone()
_MAX_REASON = 300


class _SignedTarget:
    """The part of a target that its signer defines. `headers` are sent with every request, unsigned."""

    def __init__(self, signer: Signer, headers: tuple[str, ...]) -> None:
        self._signer = signer
        self.method = signer.method
        self.scheme = signer.scheme
        self.host = signer.host
        self.headers = headers

    def renew(self) -> None:
        """Get new credentials for the next request."""
        self._signer.renew()


class ConnectionRequests(_SignedTarget):
    """Requests to @connections at the stage's `url`.

    The URL is `https://{api}.execute-api.{region}.amazonaws.com/{stage}`. POST sends `payload`, GET tests
    whether a connection is open, DELETE closes it.
    """

    def __init__(
        self,
        method: Literal["POST", "GET", "DELETE"],
        url: str,
        region: str,
        credentials: Callable[[], Credentials],
        payload: bytes = b"",
    ) -> None:
        signer = Signer(method, f"{url.rstrip('/')}/@connections", region, "execute-api", credentials)
        super().__init__(signer, ("content-type: application/octet-stream",) if payload else ())
        self._payload = payload
        self._sha256 = sha256_hex(payload)

    def request(self, item: Recipient) -> tuple[SignedRequest, bytes]:
        """The signed request and its body. Raises ValueError for an id that no path can end in."""
        return self._signer.sign(item[0], self._sha256), self._payload

    def outcome_of(self, status: int, body: bytes, retries: int) -> Outcome | RetryableResponse:
        if 200 <= status < 300:
            if self.method == "GET":
                return Open(body, retries)
            return Delivered(retries) if retries else _DELIVERED
        if status == 410:
            return Gone(retries) if retries else _GONE
        found = _error_outcome(status, body, retries)
        if status == 429 and self.method == "POST" and isinstance(found, RetryableResponse):
            return replace(found, or_buffer_full=True)
        return found


class RowDeletion(_SignedTarget):
    """DeleteItem requests for the connections table at DynamoDB's `url`.

    A row is deleted only when it is unchanged since it was read.
    """

    def __init__(self, url: str, region: str, table: str, credentials: Callable[[], Credentials]) -> None:
        headers = {"x-amz-target": "DynamoDB_20120810.DeleteItem"}
        signer = Signer("POST", url, region, "dynamodb", credentials, headers=headers)
        super().__init__(signer, ("content-type: application/x-amz-json-1.0",))
        self._table = table

    def request(self, item: Recipient) -> tuple[SignedRequest, bytes]:
        body = json.dumps(delete_item(self._table, item), separators=(",", ":")).encode()
        return self._signer.sign("", sha256_hex(body)), body

    def outcome_of(self, status: int, body: bytes, retries: int) -> Outcome | RetryableResponse:
        """Delivered when the row was deleted, Gone when it has changed or does not exist."""
        if status == 200:
            return Delivered(retries)
        if b"ConditionalCheckFailed" in body:
            return Gone(retries)
        return _error_outcome(status, body, retries)


def delete_item(table: str, recipient: Recipient) -> dict[str, object]:
    """The DeleteItem request for a row, on the condition that it has not been written since it was read."""
    same, values = ["attribute_exists(connection_id)"], {}
    for name in ("connected_at", "last_seen_at"):
        if name in recipient.row:
            same.append(f"{name} = :{name}")
            values[f":{name}"] = recipient.row[name]
        else:
            same.append(f"attribute_not_exists({name})")
    request: dict[str, object] = {
        "TableName": table,
        "Key": {"connection_id": {"S": recipient.connection_id}},
        "ConditionExpression": " AND ".join(same),
    }
    return {**request, "ExpressionAttributeValues": values} if values else request


_EXPIRED_CREDENTIALS = (
    b"ExpiredToken",
    b"security token included in the request is expired",
    b"Signature expired",
)
_THROTTLED = (b"Throttling", b"ThroughputExceeded", b"RequestLimitExceeded", b"TooManyRequests")


def _error_outcome(status: int, body: bytes, retries: int) -> Outcome | RetryableResponse:
    """The meaning of a response that reports neither success nor a closed connection."""
    reason = f"{status} {_error_message(body)}".strip()
    if status == 429 or (status == 400 and any(each in body for each in _THROTTLED)):
        return RetryableResponse(reason, throttled=True)
    if status in (408, 500) or status > 501:
        return RetryableResponse(reason)
    if status in (400, 403) and any(each in body for each in _EXPIRED_CREDENTIALS):
        return RetryableResponse(reason, renew=True)
    return Refused(status, reason, retries)


def _error_message(body: bytes) -> str:
    """The error message in a response's body, whatever its format."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, Mapping):
        return body[:_MAX_REASON].decode("utf-8", "replace").strip() if b"<" not in body else ""
    code = str(fields.get("__type", "")).rpartition("#")[2]
    said = str(fields.get("message") or fields.get("Message") or "")
    return f"{code}: {said}".strip(": ")[:_MAX_REASON]
