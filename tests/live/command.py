"""One `nwchatctl` command as a process that ends with its parent: `python -m tests.live.command ARGUMENTS`.

The parent holds the other end of stdin. When the parent is killed, stdin ends, and the command stops as it
does on SIGTERM: it finishes the calls in progress and releases the deploy lock.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from nwchatctl.__main__ import main


def _stop_at_end_of_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    sys.exit(main())
