"""`nwchatctl`, and `python -m nwchatctl`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

if sys.platform == "win32":
    # Before the imports: some of their modules do not exist there.
    sys.exit("error: nwchatctl does not run on Windows itself: use macOS, Linux or WSL")

from nwchatctl.cli import run

FEW_COLLECTIONS = 50_000
"""Allocations between two runs of Python's garbage collector. With Python's default of 700 it traverses
everything that boto3 loads again and again: 100 ms of a deploy."""


def main() -> NoReturn:
    """Runs the command line and ends the process."""
    gc.set_threshold(FEW_COLLECTIONS)
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Not sys.exit: after a stop, a thread that still waits for AWS would keep the process for a minute or
    # more; and the shutdown of an interpreter with boto3 takes 150 ms.
    os._exit(code)


if __name__ == "__main__":
    main()
