"""Signed calls to one of AWS's services, with retries: what the functions need of botocore."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping
from random import SystemRandom
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nwchat import __version__
from nwchat.aws.endpoints import AwsEndpoint
from nwchat.aws.errors import AwsError, NoAwsResponse
from nwchat.aws.http_client import DEFAULT_TIMEOUTS, HttpAnswer, HttpClient, HttpTimeouts
from nwchat.aws.signing import Credentials, SignedRequest, Signer, sha256_hex
from nwchat.values import dataclass

if TYPE_CHECKING:
    import ssl

_BASE_PAUSE_SECONDS = 0.1
_TRANSIENT_STATUSES = frozenset((500, 502, 503, 504))
_TRANSIENT_CODES = frozenset(
    (
        # Of botocore's standard mode (retries/standard.py): throttled, or to be repeated as it is.
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    )
)


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How often a call is sent, and how long each attempt may take.

    `sleep` takes seconds, `jitter` returns [0, 1): the pause before a retry is between none and 0.2, 0.4,
    0.8 s and so on.
    """

    attempts: int = 4
    timeouts: HttpTimeouts = DEFAULT_TIMEOUTS
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = SystemRandom().random


class ServiceClient:
    """Sends the calls of one service to its endpoint. Thread-safe. `tls` returns the context for https.

    A subclass sets `service`, the name in signatures. `error_types` has the classes of errors that callers
    catch, by AWS's code; others are AwsError itself.
    """

    service: str
    error_types: Mapping[str, type[AwsError]] = MappingProxyType({})

    def __init__(
        self,
        endpoint: AwsEndpoint,
        credentials: Callable[[], Credentials],
        tls: Callable[[], ssl.SSLContext],
        policy: CallPolicy = CallPolicy(),
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._policy = policy
        probe = self.signer("POST")
        self._http = HttpClient(probe.scheme, probe.host, tls, policy.timeouts)

    def signer(self, method: str, path: str = "", headers: Mapping[str, str] | None = None) -> Signer:
        """The signer of requests with these headers, below `path` of the endpoint."""
        url = self._endpoint.url.rstrip("/") + path
        return Signer(method, url, self._endpoint.region, self.service, self._credentials, headers=headers)

    def send(self, operation: str, signer: Signer, name: str, payload: bytes) -> HttpAnswer:
        """Send a request, whose path ends in `name`, until it succeeds or all attempts are used up.

        Raises AwsError, NoAwsResponse, and LookupError without credentials.
        """
        attempt = 0
        payload_sha256 = sha256_hex(payload)
        while True:
            attempt += 1
            try:
                return self._send_once(operation, signer, signer.sign(name, payload_sha256), payload)
            except (AwsError, NoAwsResponse) as error:
                if attempt >= self._policy.attempts or not _is_transient(error):
                    raise
            # Full jitter.
            self._policy.sleep(self._policy.jitter() * _BASE_PAUSE_SECONDS * 2**attempt)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._http.close()

    def _send_once(self, operation: str, signer: Signer, signed: SignedRequest, payload: bytes) -> HttpAnswer:
        lines = (
            f"{signer.method} {signed.path} HTTP/1.1",
            f"host: {signer.host}",
            f"user-agent: nwchat/{__version__}",
            *signed.headers,
            f"content-length: {len(payload)}",
        )
        answer = self._http.send("\r\n".join((*lines, "\r\n")).encode("latin-1") + payload)
        checksum = answer.header("x-amz-crc32")
        if checksum and checksum != str(zlib.crc32(answer.body)):
            raise NoAwsResponse("wrong checksum")
        if not 200 <= answer.status < 300:
            raise _error_in(operation, answer, self.error_types)
        return answer


class JsonService(ServiceClient):
    """A service that takes and returns JSON, such as DynamoDB.

    A subclass also sets `target`, the first part of the header `x-amz-target`, and `version`, that of the
    content type.
    """

    target: str
    version: str

    def __init__(
        self,
        endpoint: AwsEndpoint,
        credentials: Callable[[], Credentials],
        tls: Callable[[], ssl.SSLContext],
        policy: CallPolicy = CallPolicy(),
    ) -> None:
        super().__init__(endpoint, credentials, tls, policy)
        self._signers: dict[str, Signer] = {}

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The response to `request`. Raises as `send`; a response that is not JSON is a NoAwsResponse."""
        signer = self._signers.get(operation)
        if signer is None:
            headers = {
                "x-amz-target": f"{self.target}.{operation}",
                "content-type": f"application/x-amz-json-{self.version}",
            }
            signer = self._signers.setdefault(operation, self.signer("POST", headers=headers))
        answer = self.send(operation, signer, "", json.dumps(request, separators=(",", ":")).encode())
        fields = _json_object(answer.body)
        if fields is None:
            raise NoAwsResponse("no JSON")
        return fields


def _error_in(operation: str, answer: HttpAnswer, types: Mapping[str, type[AwsError]]) -> AwsError:
    """The error in a response, whatever its format; the status is the code of a response without one."""
    fields = _json_object(answer.body) or {}
    kind = str(fields.pop("__type", "") or fields.get("code") or "")
    # com.amazonaws.dynamodb.v20120810#ThrottlingException, or ThrottlingException:http://…
    code = (answer.header("x-amzn-errortype") or kind).partition(":")[0].rpartition("#")[2]
    message = fields.get("message") or fields.get("Message") or ""
    response = {
        **fields,
        "Error": {"Code": code or str(answer.status), "Message": str(message)},
        "ResponseMetadata": {"HTTPStatusCode": answer.status},
    }
    return types.get(code, AwsError)(response, operation)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _is_transient(error: AwsError | NoAwsResponse) -> bool:
    """Whether the call may succeed when it is sent again.

    "Signature expired": the function was frozen after it had signed the request; each attempt has a signature
    of its own.
    """
    if isinstance(error, NoAwsResponse):
        return True
    details = error.response["Error"]
    return (
        error.response["ResponseMetadata"]["HTTPStatusCode"] in _TRANSIENT_STATUSES
        or details["Code"] in _TRANSIENT_CODES
        or details["Message"].startswith("Signature expired")
    )
