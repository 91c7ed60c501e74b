"""The requests of a `RequestScheduler` over libcurl's multi interface: the fastest way that Python has.

libcurl brings TLS, proxies, the races of kept connections and the timeouts. As in
`nwchat.delivery.asyncio_transport`, a response counts once its headers are whole and, where it may matter,
its body.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pycurl

from nwchat.delivery.asyncio_transport import ANSWER_SECONDS, CONNECT_SECONDS
from nwchat.delivery.http_response import DECIDED, MAX_BODY
from nwchat.delivery.scheduler import MOST_WIDTH, Call, RequestScheduler

_SELECT_SECONDS = 0.1
# Older versions of pycurl know the older name alone.
_LENGTH: int = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", 0) or pycurl.CONTENT_LENGTH_DOWNLOAD


class CurlTransport:
    """One multi handle, for one thread. `ca_bundle` is a file, "" for libcurl's own; `proxy` gives for a URL
    the proxy on the way to it, or ""."""

    def __init__(
        self,
        *,
        ca_bundle: str = "",
        proxy: Callable[[str], str] = lambda url: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ca_bundle = ca_bundle
        self._proxy = proxy
        self._clock = clock
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, MOST_WIDTH)

    def run(self, scheduler: RequestScheduler[Any], stopped: Callable[[], str] | None = None) -> None:
        """As `nwchat.delivery.asyncio_transport.Transport` says."""
        run = _Run(self._multi, scheduler, self._handle(scheduler.target), self._clock)
        try:
            run.all(stopped)
        finally:
            run.abandon()

    def close(self) -> None:
        """Closes the connections."""
        self._multi.close()

    def _handle(self, target: Any) -> Callable[[], pycurl.Curl]:
        origin = f"{target.scheme}://{target.host}"
        proxy = self._proxy(origin)

        def make() -> pycurl.Curl:
            handle = pycurl.Curl()
            handle.setopt(pycurl.NOSIGNAL, 1)
            handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
            handle.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_SECONDS * 1000))
            handle.setopt(pycurl.TIMEOUT_MS, int((CONNECT_SECONDS + ANSWER_SECONDS) * 1000))
            handle.setopt(pycurl.PROXY, proxy)
            handle.setopt(pycurl.PATH_AS_IS, 1)
            handle.setopt(pycurl.TCP_NODELAY, 1)
            # Answers are short, and there is one of each for every connection.
            handle.setopt(pycurl.BUFFERSIZE, 16 * 1024)
            handle.setopt(pycurl.UPLOAD_BUFFERSIZE, 16 * 1024)
            handle.setopt(pycurl.FOLLOWLOCATION, 0)
            if self._ca_bundle:
                handle.setopt(pycurl.CAINFO, self._ca_bundle)
            if target.method == "GET":
                handle.setopt(pycurl.HTTPGET, 1)
            elif target.method == "POST":
                handle.setopt(pycurl.POST, 1)
            else:
                handle.setopt(pycurl.CUSTOMREQUEST, target.method)
            return handle

        return make


class _Run:
    """One courier's requests."""

    def __init__(
        self,
        multi: pycurl.CurlMulti,
        scheduler: RequestScheduler[Any],
        make: Callable[[], pycurl.Curl],
        clock: Callable[[], float],
    ) -> None:
        self._multi = multi
        self._scheduler = scheduler
        self._make = make
        self._clock = clock
        self._free: list[pycurl.Curl] = []
        self._calls: dict[pycurl.Curl, Call[Any]] = {}
        self._bodies: dict[pycurl.Curl, list[bytes]] = {}
        self._sent: dict[pycurl.Curl, bytes] = {}
        target = scheduler.target
        self._origin = f"{target.scheme}://{target.host}"
        # What libcurl would add by itself is left out.
        self._static = [*target.headers, "Accept:", "Expect:"]
        self._posts = target.method == "POST"

    def all(self, stopped: Callable[[], str] | None) -> None:
        multi, scheduler, clock = self._multi, self._scheduler, self._clock
        looked_at = clock()
        while True:
            now = clock()
            while (call := scheduler.take(now)) is not None:
                self._send(call)
            multi.perform()
            self._collect()
            if scheduler.over:
                return
            now = clock()
            if now - looked_at >= _SELECT_SECONDS:
                looked_at = now
                if stopped is not None and not scheduler.stopped and (reason := stopped()):
                    scheduler.stop(reason)
                if scheduler.late(now):
                    self._give_up(now)
                    continue
            pause = min(scheduler.pause(now), _SELECT_SECONDS)
            if not self._calls:
                time.sleep(max(pause, 0.0005))
            elif pause > 0:
                multi.select(pause)

    def abandon(self) -> None:
        """Whatever is still under way is nobody's any more."""
        for handle in self._calls:
            self._multi.remove_handle(handle)
            handle.close()
        for handle in self._free:
            handle.close()
        self._calls.clear()
        self._free.clear()

    def _send(self, call: Call[Any]) -> None:
        handle = self._free.pop() if self._free else self._new()
        path, headers = call.signed
        handle.setopt(pycurl.URL, self._origin + path)
        handle.setopt(pycurl.HTTPHEADER, headers + self._static)
        if self._posts and self._sent.get(handle) is not call.body:
            handle.setopt(pycurl.POSTFIELDS, call.body)
            self._sent[handle] = call.body
        self._calls[handle] = call
        self._multi.add_handle(handle)

    def _new(self) -> pycurl.Curl:
        handle = self._make()
        body: list[bytes] = []

        def write(data: bytes) -> int | None:
            if sum(map(len, body)) > MAX_BODY:
                return 0
            body.append(data)
            return None

        handle.setopt(pycurl.WRITEFUNCTION, write)
        self._bodies[handle] = body
        return handle

    def _give_up(self, now: float) -> None:
        reason = f"{self._scheduler.stopped}: no answer yet"
        for handle in list(self._calls):
            self._failed(handle, 0, reason, now)

    def _collect(self) -> None:
        while True:
            left, good, bad = self._multi.info_read()
            now = self._clock()
            for handle in good:
                self._answered(handle, handle.getinfo(pycurl.RESPONSE_CODE), now)
            for handle, code, text in bad:
                self._failed(handle, code, text, now)
            if not left:
                return

    def _answered(self, handle: pycurl.Curl, status: int, now: float) -> None:
        call = self._calls.pop(handle)
        if handle.getinfo(pycurl.NUM_CONNECTS):
            # Most of that was the handshake.
            call.sent_at = -math.inf
        self._multi.remove_handle(handle)
        self._free.append(handle)
        body = self._bodies[handle]
        if body:
            text = b"".join(body)
            body.clear()
            self._scheduler.answered(call, status, text, now)
        elif status in DECIDED or handle.getinfo(_LENGTH) >= 0:
            self._scheduler.answered(call, status, b"", now)
        else:
            # libcurl takes a connection's end in the middle of the headers for the answer's.
            self._scheduler.broken(call, f"{status} without an end", now)

    def _failed(self, handle: pycurl.Curl, code: int, text: str, now: float) -> None:
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        if self._bodies[handle] and (status in DECIDED or code == pycurl.E_WRITE_ERROR):
            # Some of the body came, so the headers are whole.
            self._answered(handle, status, now)
            return
        call = self._calls.pop(handle)
        self._multi.remove_handle(handle)
        self._bodies[handle].clear()
        self._free.append(handle)
        self._scheduler.broken(call, text or f"curl error {code}", now)
