"""Deletes the rows of closed connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchat.delivery.rate_limit import RateLimiter
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.operations.connections import approximate_count, candidates, connection_requests
from nwchatctl.signals import graceful_stop

if TYPE_CHECKING:
    from nwchatctl.context import App


def prune_rows(
    app: App, grace: float | None, before_ms: int | None, rate: float | None, *, dry_run: bool
) -> tuple[PruneResult, str]:
    """What became of the rows, and the reason why it was stopped, "" where it was not."""
    requests = connection_requests(app, "GET")
    total = approximate_count(app)
    with graceful_stop() as stop, app.bar("checked", total) as bar:
        rows = candidates(app, grace, before_ms=before_ms, expired=True)

        def tick(result: PruneResult) -> str:
            bar.update(
                result.checked, f"{result.gone} gone, {result.deleted} deleted, {result.failed} failed"
            )
            return stop.reason

        try:
            result = prune(
                app.transport,
                requests,
                None if dry_run else app.rows,
                rows,
                rate_limiter=RateLimiter(rate or app.sending_rate),
                tick=tick,
            )
        finally:
            rows.close()
        bar.update(result.checked)
    return result, stop.reason if result.cut_short else ""
