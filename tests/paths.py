"""Where the repository's files are, for tests at any depth."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GOLDEN = ROOT / "tests" / "golden"
EVENTS = ROOT / "tests" / "events"
"""The operator's own test event, and a client's own message."""
