"""The rate limits of API Gateway's data plane: of the account, of new connections, and of a stage. Pure:
times are seconds of a monotonic clock.

API Gateway accepts, of each account and Region, 10,000 requests a second with a bucket of 5,000 (calls of
@connections included), and 500 new connections a second with a bucket of 500 (developer guide, quotas). A
stage's default route settings limit its routes together; a route with settings of its own is counted apart
(developer guide, "Protect your WebSocket API").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.token_bucket import TokenBuckets

Settings = Mapping[str, Any]
"""A stage as the control plane stores it: `defaultRouteSettings`, and `routeSettings` by route key."""


class Throttles:
    """The token buckets of one account. Each method says whether a request at `now` is accepted."""

    def __init__(self) -> None:
        self._buckets = TokenBuckets()

    def accept_request(self, now: float) -> bool:
        """A request to any API of the account, or to @connections."""
        return self._take_of_rules("posts", now)

    def accept_connection(self, now: float) -> bool:
        """A new connection to any API of the account."""
        return self._take_of_rules("connect", now)

    def accept_route(self, api_id: str, stage_name: str, stage: Settings, route_key: str, now: float) -> bool:
        """A request to a route of a stage; its settings may have changed since the request before."""
        if not limits.current().on("stage_throttling"):
            return True
        own = (stage.get("routeSettings") or {}).get(route_key) or {}
        shared = stage.get("defaultRouteSettings") or {}
        throttled_alone = "throttlingRateLimit" in own or "throttlingBurstLimit" in own
        settings = {**shared, **own} if throttled_alone else shared
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        key = (api_id, stage_name, route_key if throttled_alone else "")
        return self._buckets.take(key, rate, burst, now)

    def _take_of_rules(self, name: str, now: float) -> bool:
        held = limits.current()
        return self._buckets.take(name, held.value(f"{name}_rate"), held.value(f"{name}_burst"), now)
