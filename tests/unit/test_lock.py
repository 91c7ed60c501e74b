"""requirements.lock: everything that is installed has a hash, and nothing names a registry."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def requirements() -> dict[str, str]:
    """Package → its entry in the lock, continuation lines joined."""
    joined = re.sub(r" \\\n\s+", " ", LOCK)
    entries = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.partition("==")[0]: line for line in entries}


def test_every_package_has_one_version_and_a_hash() -> None:
    for name, entry in requirements().items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^-]+?)?( --hash=sha256:[0-9a-f]{64})+", entry), name


def test_no_registry_is_named() -> None:
    for text in (LOCK, MAKEFILE, (ROOT / "pyproject.toml").read_text(), (ROOT / ".ci" / "run").read_text()):
        assert not re.search(r"https?://|index-url [^-]|find-links", text.replace("--no-emit-index-url", ""))


def test_the_build_backend_and_uv_are_locked() -> None:
    """`make setup` builds without isolation, which would install a backend that has no hash."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    backend = [re.split(r"[^\w-]", each)[0] for each in project["build-system"]["requires"]]
    assert {*backend, "editables", "uv"} <= requirements().keys()


def test_make_installs_only_what_has_a_hash() -> None:
    assert "LOCKED = --require-hashes -r requirements.lock" in MAKEFILE
    used = re.findall(r"\$\((?:PIP|UV)\) ([^;|&}\n]*)", MAKEFILE)
    assert [each.strip() for each in used] == [
        "--require-hashes -r $(VENV)/uv.lock",
        "$(LOCKED)",
        "$(LOCKED)",
        "--no-deps --no-build-isolation -e .",
    ]


@pytest.mark.parametrize("name", ["tests/pythons.py", ".ci/run"])
def test_ci_installs_only_through_make(name: str) -> None:
    assert not re.search(r"\b(pip|uv)\b.*\binstall\b", (ROOT / name).read_text())
