"""`nwchatctl`, and `python -m nwchatctl`."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from nwchatctl.cli import run


def main() -> NoReturn:
    """Runs the command line and ends the process."""
    code = run(sys.argv[1:])
    if any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread()):
        # After a stop, a thread that still waits for AWS would keep the process for a minute or more.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
