"""Lists the releases of the chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.deploy.releases import ReleaseEntry, entries
from nwchatctl.operations.deployed_api import not_deployed

if TYPE_CHECKING:
    from nwchatctl.context import App


def list_releases(app: App, limit: int) -> list[ReleaseEntry]:
    """At most `limit` releases, newest first. Raises ChatError `not_deployed`, exit 4."""
    app.cloud.reads_domains = False
    live = app.cloud.read()
    if not live.api_id:
        raise not_deployed(app)
    return entries(live.rows.records, live.state, app.settings.stage.name)[:limit]
