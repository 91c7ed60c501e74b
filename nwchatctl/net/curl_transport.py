"""Transport over libcurl's multi interface: the fastest one available to Python.

libcurl provides TLS, proxies, keep-alive and timeouts. As in `nwchat.delivery.socket_transport`, a response
counts when its headers are complete and, where it may matter, its body.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pycurl

from nwchat.aws.http_response import MAX_BODY_BYTES, STATUS_ONLY
from nwchat.aws.idle_connections import MAX_IDLE_SECONDS
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import MAX_CONCURRENCY, RequestScheduler
from nwchat.delivery.socket_transport import CONNECT_TIMEOUT_SECONDS, RESPONSE_TIMEOUT_SECONDS
from nwchatctl import wait_notices
from nwchatctl.wait_notices import NOTICE_SECONDS

_SELECT_SECONDS = 0.1
# Older versions of pycurl have only the older name.
_LENGTH: int = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", 0) or pycurl.CONTENT_LENGTH_DOWNLOAD

_MAX_IDLE_OPTION: int = getattr(pycurl, "MAXAGE_CONN", 0)


class CurlTransport:
    """A transport with its own multi handle, for one thread.

    `ca_bundle` is a file, "" for libcurl's default. `proxy` returns the proxy for a URL, or "".
    """

    def __init__(
        self,
        *,
        ca_bundle: str = "",
        proxy: Callable[[str], str] = lambda url: "",
    ) -> None:
        self._ca_bundle = ca_bundle
        self._proxy = proxy
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, MAX_CONCURRENCY)

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        """Run the scheduler's requests; see `nwchat.delivery.socket_transport.Transport`."""
        run = _Run(self._multi, scheduler, self._handle_maker(scheduler.target))
        try:
            run.finish(stop_reason)
        finally:
            run.abort()

    def close(self) -> None:
        """Close the connections."""
        self._multi.close()

    def _handle_maker(self, target: Any) -> Callable[[], pycurl.Curl]:
        origin = f"{target.scheme}://{target.host}"
        proxy = self._proxy(origin)

        def make() -> pycurl.Curl:
            handle = pycurl.Curl()
            handle.setopt(pycurl.NOSIGNAL, 1)
            handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
            handle.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_TIMEOUT_SECONDS * 1000))
            handle.setopt(pycurl.TIMEOUT_MS, int((CONNECT_TIMEOUT_SECONDS + RESPONSE_TIMEOUT_SECONDS) * 1000))
            # Older versions of libcurl drop idle connections after about two minutes.
            if _MAX_IDLE_OPTION:
                handle.setopt(_MAX_IDLE_OPTION, int(MAX_IDLE_SECONDS))
            handle.setopt(pycurl.PROXY, proxy)
            # `proxy` has read NO_PROXY already; libcurl would read it by rules of its own.
            handle.setopt(pycurl.NOPROXY, "")
            handle.setopt(pycurl.PATH_AS_IS, 1)
            handle.setopt(pycurl.TCP_NODELAY, 1)
            # Responses are short, and each connection has buffers of its own.
            handle.setopt(pycurl.BUFFERSIZE, 16 * 1024)
            handle.setopt(pycurl.UPLOAD_BUFFERSIZE, 16 * 1024)
            handle.setopt(pycurl.FOLLOWLOCATION, 0)
            if self._ca_bundle:
                handle.setopt(pycurl.CAINFO, self._ca_bundle)
                handle.setopt(pycurl.PROXY_CAINFO, self._ca_bundle)
                # Only these certificates count, without those of a directory that libcurl was built with.
                handle.unsetopt(pycurl.CAPATH)
            if target.method == "GET":
                handle.setopt(pycurl.HTTPGET, 1)
            elif target.method == "POST":
                handle.setopt(pycurl.POST, 1)
            else:
                handle.setopt(pycurl.CUSTOMREQUEST, target.method)
            return handle

        return make


class _Run:
    """One scheduler's requests."""

    def __init__(
        self,
        multi: pycurl.CurlMulti,
        scheduler: RequestScheduler[Any],
        make_handle: Callable[[], pycurl.Curl],
    ) -> None:
        self._multi = multi
        self._scheduler = scheduler
        self._make_handle = make_handle
        self._answered_at = -math.inf
        self._is_reported = False
        """Whether `wait_notices` knows that AWS does not answer."""
        self._idle: list[pycurl.Curl] = []
        self._in_flight: dict[pycurl.Curl, Call[Any]] = {}
        self._bodies: dict[pycurl.Curl, list[bytes]] = {}
        self._request_bodies: dict[pycurl.Curl, bytes] = {}
        target = scheduler.target
        self._origin = f"{target.scheme}://{target.host}"
        # Remove the headers that libcurl adds by default.
        self._static = [*target.headers, "Accept:", "Expect:"]
        self._has_body = target.method == "POST"

    def finish(self, stop_reason: Callable[[], str] | None) -> None:
        """Send requests and check for a stop until the scheduler is done."""
        multi, scheduler = self._multi, self._scheduler
        checked_at = time.monotonic()
        while True:
            now = time.monotonic()
            while (call := scheduler.next_call(now)) is not None:
                self._send(call)
            multi.perform()
            self._collect()
            if scheduler.done:
                return
            now = time.monotonic()
            if now - checked_at >= _SELECT_SECONDS:
                checked_at = now
                self._report_silence()
                if stop_reason is not None and not scheduler.stop_reason and (reason := stop_reason()):
                    scheduler.stop(reason)
                if scheduler.past_grace(now):
                    self._fail_all(now)
                    continue
            seconds = min(scheduler.wait_seconds(now), _SELECT_SECONDS)
            if not self._in_flight:
                time.sleep(max(seconds, 0.0005))
            elif seconds > 0:
                multi.select(seconds)

    def abort(self) -> None:
        """Close the requests in flight. Their items get no outcome."""
        wait_notices.ended(self, answered=False)
        for handle in self._in_flight:
            self._multi.remove_handle(handle)
            handle.close()
        for handle in self._idle:
            handle.close()
        self._in_flight.clear()
        self._idle.clear()

    def _send(self, call: Call[Any], *, new_connection: bool = False) -> None:
        handle = self._idle.pop() if self._idle else self._new_handle()
        if new_connection:
            handle.setopt(pycurl.FRESH_CONNECT, 1)
        path, headers = call.signed
        handle.setopt(pycurl.URL, self._origin + path)
        handle.setopt(pycurl.HTTPHEADER, headers + self._static)
        if self._has_body and self._request_bodies.get(handle) is not call.body:
            handle.setopt(pycurl.POSTFIELDS, call.body)
            self._request_bodies[handle] = call.body
        self._in_flight[handle] = call
        self._multi.add_handle(handle)

    def _new_handle(self) -> pycurl.Curl:
        handle = self._make_handle()
        body: list[bytes] = []

        def write(data: bytes) -> int | None:
            if sum(map(len, body)) > MAX_BODY_BYTES:
                return 0
            body.append(data)
            return None

        handle.setopt(pycurl.WRITEFUNCTION, write)
        self._bodies[handle] = body
        return handle

    def _fail_all(self, now: float) -> None:
        reason = f"{self._scheduler.stop_reason}: no answer yet"
        for handle in list(self._in_flight):
            self._record_failure(handle, 0, reason, now)

    def _collect(self) -> None:
        while True:
            queued, succeeded, failed = self._multi.info_read()
            now = time.monotonic()
            for handle in succeeded:
                self._record_response(handle, handle.getinfo(pycurl.RESPONSE_CODE), now)
            for handle, code, text in failed:
                self._record_failure(handle, code, text, now)
            if not queued:
                return

    def _record_response(self, handle: pycurl.Curl, status: int, now: float) -> None:
        call = self._in_flight.pop(handle)
        if handle.getinfo(pycurl.NUM_CONNECTS):
            # The time includes the handshake, so it says nothing about the latency.
            call.sent_at = -math.inf
        body = b"".join(self._bodies[handle])
        complete = body or status in STATUS_ONLY or handle.getinfo(_LENGTH) >= 0
        self._release(handle)
        if complete:
            self._report_response(call, status, now)
            self._scheduler.record_response(call, status, body, now)
        else:
            # libcurl accepts a response whose connection ended within the headers.
            self._report_failure(call, f"{status} without an end")
            self._scheduler.record_failure(call, f"{status} without an end", now)

    def _record_failure(self, handle: pycurl.Curl, code: int, text: str, now: float) -> None:
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        if self._bodies[handle] and (status in STATUS_ONLY or code == pycurl.E_WRITE_ERROR):
            # Part of the body was received, so the headers are complete.
            self._record_response(handle, status, now)
            return
        call = self._in_flight.pop(handle)
        connected = handle.getinfo(pycurl.NUM_CONNECTS)
        self._release(handle)
        if code == pycurl.E_SEND_ERROR and not connected:
            # libcurl tries kept connections until six in a row turned out to be closed, and makes no new one.
            self._send(call, new_connection=True)
        else:
            timed_out = code == pycurl.E_OPERATION_TIMEDOUT
            self._report_failure(call, text or f"curl error {code}")
            self._scheduler.record_failure(call, text or f"curl error {code}", now, timed_out=timed_out)

    def _report_silence(self) -> None:
        """Reports the oldest request that has not been answered, unless later ones were."""
        if self._in_flight and not self._is_reported:
            sent_at = next(iter(self._in_flight.values())).sent_at
            if time.monotonic() - max(sent_at, self._answered_at) >= NOTICE_SECONDS:
                self._is_reported = True
                wait_notices.began(self, "a request", max(sent_at, self._answered_at))

    def _report_failure(self, call: Call[Any], reason: str) -> None:
        if self._scheduler.stop_reason:
            return
        self._is_reported = True
        since = None if call.sent_at == -math.inf else max(call.sent_at, self._answered_at)
        wait_notices.failed(self, "", f"AWS could not be reached: {reason}", since)

    def _report_response(self, call: Call[Any], status: int, now: float) -> None:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._report_failure(call, f"status {status}")
            return
        self._answered_at = now
        if self._is_reported:
            self._is_reported = False
            wait_notices.ended(self, answered=True)

    def _release(self, handle: pycurl.Curl) -> None:
        """Keep the handle for another request."""
        self._multi.remove_handle(handle)
        self._bodies[handle].clear()
        if handle.getinfo(pycurl.NUM_CONNECTS):
            handle.setopt(pycurl.FRESH_CONNECT, 0)
        self._idle.append(handle)
