"""Handlers of botocore's events: they limit its retries, and report calls to `nwchatctl.wait_notices`."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, SSLError

from nwchatctl import wait_notices
from nwchatctl.aws.core.retry import (
    is_header_error,
    is_server_error,
    is_stopped,
    is_throttled,
    is_unanswered,
    waiting_reason,
)

UNANSWERED = 4
"""Attempts of a call without a response: some seconds, while all attempts that a call may have would take a
minute and more."""

_KEY, _NAME = "nwchatctl_wait", "nwchatctl_operation"
"""Where a call's context has the call's key, and its operation."""


def report_calls(client: Any) -> None:
    """Reports the begin and the end of each call of `client`.

    A call begins when its first attempt is sent, not while credentials are read, which may ask the operator.
    """
    current = threading.local()

    def on_call(model: Any, context: dict[str, Any], **_: object) -> None:
        context[_KEY], context[_NAME] = object(), model.name
        current.context = context

    def on_send(**_: object) -> None:
        context = current.context
        wait_notices.began(context[_KEY], context[_NAME])

    def on_response(context: dict[str, Any], http_response: Any, **_: object) -> None:
        answered = http_response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        wait_notices.ended(context.get(_KEY), answered=answered)

    def on_error(context: dict[str, Any], **_: object) -> None:
        wait_notices.ended(context.get(_KEY), answered=False)

    client.meta.events.register("before-call.*.*", on_call)
    client.meta.events.register("before-send.*.*", on_send)
    client.meta.events.register("after-call.*.*", on_response)
    client.meta.events.register("after-call-error.*.*", on_error)


def _report_failure(error: Exception, context: dict[str, Any]) -> None:
    """Reports that an attempt of the call with `context` failed with `error`, if botocore may repeat it."""
    if _KEY in context and (is_unanswered(error) or is_throttled(error) or is_server_error(error)):
        wait_notices.failed(context[_KEY], context[_NAME], waiting_reason(error))


def limit_retries(
    attempts: int,
    response: Any,
    operation: Any,
    caught_exception: Exception | None,
    request_dict: dict[str, Any],
    **_: object,
) -> None:
    """Stops retries of a call after UNANSWERED attempts without a response, and of every call once
    `stop_retrying` was called. botocore has one limit for missing responses and for throttling, which
    deserves more attempts.

    A response that was cut off in its headers counts as missing; http.client takes it for a complete one
    without a body.
    """
    if caught_exception is not None:
        # A certificate that is not trusted will not be at the next attempt either.
        untrusted = isinstance(caught_exception, SSLError) and "CERTIFICATE_VERIFY" in str(caught_exception)
        lasting = untrusted or is_header_error(caught_exception)
        if attempts >= UNANSWERED or is_stopped() or lasting:
            raise caught_exception
        _report_failure(caught_exception, request_dict["context"])
        return
    http_response, parsed = response
    if not _is_complete(http_response):
        raise ConnectionClosedError(endpoint_url=http_response.url)
    if http_response.status_code < HTTPStatus.BAD_REQUEST:
        return
    error = ClientError(parsed, operation.name)
    if is_stopped():
        raise error
    _report_failure(error, request_dict["context"])


def _is_complete(response: Any) -> bool:
    """Whether the headers give the length of the body, or there is a body that ends with its connection."""
    length = response.headers.get("Content-Length") or response.headers.get("Transfer-Encoding")
    return response.status_code == HTTPStatus.NO_CONTENT or bool(length or response.content)
