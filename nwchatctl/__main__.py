"""`nwchatctl`, and `python -m nwchatctl`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from nwchatctl.cli import run

FEW_COLLECTIONS = 50_000
"""New objects before Python looks for garbage. With its own 700 it walks all that boto3 loads for a command
again and again: 100 ms of a deploy."""


def main() -> NoReturn:
    """Runs the command line and ends the process."""
    gc.set_threshold(FEW_COLLECTIONS)
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Not sys.exit. After a stop, a thread that still waits for AWS would keep the process for a minute or
    # more; and taking apart an interpreter with boto3 in it takes 150 ms.
    os._exit(code)


if __name__ == "__main__":
    main()
