"""How many AWS calls have to wait for each other: what makes a command slow, however fast each call is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.paths import ROOT


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-chain", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def chain(operator: Operator, *argv: str) -> int:
    """As `bench/deploy` counts it, of the command line in a process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.deploy.call_chain", "-q", *argv],
        cwd=operator.home,
        env={**operator.sandbox.environ, **operator.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.splitlines()[-1].split()[0])


def test_reading_everything_takes_four_calls_in_a_row(operator: Operator) -> None:
    """Who we are, beside the lock; the APIs; what is in ours; the responses of what answers by itself. All
    else is beside that."""
    assert chain(operator, "plan") == 4
    assert chain(operator, "deploy", "--yes") == 4


def test_a_change_adds_its_own_call_and_two_of_the_lock(operator: Operator) -> None:
    operator.environ["NWCHAT_STAGE__THROTTLE_RATE"] = "50"
    assert chain(operator, "deploy", "--yes") == 4 + 1 + 2
