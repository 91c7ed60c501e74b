"""Pauses the garbage collector during Lambda's init phase. Imported before everything else of this package.

What imports create lives as long as the process, and looking for garbage among it would take a tenth of the
init phase.
"""

from __future__ import annotations

import gc
import os


def in_init_phase() -> bool:
    """Whether to create clients at import: Lambda's init phase has a whole CPU, an invocation a fraction."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ


def resume_collection() -> None:
    """Collect garbage from now on, but never among what exists already. For the first invocation."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


if in_init_phase():
    gc.disable()
