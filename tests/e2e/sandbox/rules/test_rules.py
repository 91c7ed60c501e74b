"""Every rule of the table is enforced, and taking out any one of them is noticed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.rules import RULES
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.sandbox.rules.registry import PROBES, SHORTENED, Check, Probe
from tests.e2e.support.sandbox import Sandbox, free_port

for _module in sorted(Path(__file__).parent.glob("probes_*.py")):
    importlib.import_module(f"tests.e2e.sandbox.rules.{_module.stem}")

ATTEMPTS = 5

NAMES = [rule.name for rule in RULES]

every_probe = pytest.mark.parametrize(
    "check", [pytest.param(check, id=f"{rule}-{check.__name__}") for rule, check in PROBES]
)


def running(tmp_path_factory: pytest.TempPathFactory, limits: RuleValues) -> Iterator[Probe]:
    made = Sandbox(SandboxPaths(tmp_path_factory.mktemp("rules") / "a sandbox"), free_port())
    operations.start(made.state, made.port, limits)
    yield Probe(made)
    process.down(made.state)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A sandbox with every rule on, at AWS's own pace."""
    yield from running(tmp_path_factory, RuleValues(1.0, SHORTENED))


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A sandbox with every rule off."""
    yield from running(tmp_path_factory, RuleValues(0.0, dict.fromkeys(NAMES)))


def test_every_rule_has_a_probe() -> None:
    assert {rule for rule, _ in PROBES} == set(NAMES)


@every_probe
def test_rule_is_enforced(strict: Probe, check: Check) -> None:
    # Most rules hold for a part of a second after a change. A busy machine may miss it, but never sees a rule
    # that is not enforced: see the next test.
    assert any(check(strict) for _ in range(ATTEMPTS))


@every_probe
def test_probe_notices_that_its_rule_is_taken_out(lenient: Probe, check: Check) -> None:
    assert not check(lenient)
