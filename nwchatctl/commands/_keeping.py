"""Who is at an announcement, and how far it has come, written down while it is sent."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.aws.announcements import Announcements
    from nwchatctl.chat.announcing import Holder, Progress, State
    from nwchatctl.context import App


def me(app: App) -> Holder:
    """This process, as the one who is at it from now on."""
    from nwchatctl.chat.announcing import LEASE_MS, Holder
    from nwchatctl.machine import host, this_process

    return Holder(this_process(), f"{app.cloud.caller.name} on {host()}", app.now_ms() + LEASE_MS)


class Keeper:
    """Writes down how far it is, and that somebody is at it, from a thread: so posting never waits for it."""

    def __init__(self, app: App, rows: Announcements, state: State) -> None:
        self.lost = False
        self._app = app
        self._rows = rows
        self._state = state
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.set()

    def offer(self, progress: Progress) -> None:
        self._state = replace(self._state, progress=progress)

    def close(self, progress: Progress) -> None:
        """Writes the last word, and lets go of it. What can't be written costs a repetition, no more."""
        from nwchatctl.aws.announcements import NotSaved

        self._wake.set()
        self._thread.join()
        self._state = replace(self._state, progress=progress)
        holder = self._state.holder
        assert holder is not None
        if self.lost:
            return
        try:
            self._rows.save(replace(self._state, holder=None), holder)
        except NotSaved as error:
            self._app.warn(f"how far it came could not be written down: {error}")

    def _keep(self) -> None:
        from nwchatctl.aws.announcements import NotSaved
        from nwchatctl.chat.announcing import SAVE_SECONDS

        while not self._wake.wait(SAVE_SECONDS):
            holder = me(self._app)
            try:
                self.lost = not self._rows.save(replace(self._state, holder=holder), holder)
            except NotSaved:
                continue
            if self.lost:
                return
