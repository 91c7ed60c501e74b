"""The clock that counts calls: what ran beside each other counts once, what waited counts on."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

from bench.deploy.call_chain import ChainLength, is_pending, longest_chain
from tests.paths import ROOT

PRELUDE = """
import json
from nwchatctl.aws.core.parallel import ParallelReads
from bench.deploy import call_chain
from botocore.client import BaseClient
# A call that asks nobody, below the one that counts.
BaseClient._make_api_call = lambda self, operation, answer={}: answer
call_chain.install()
client = object.__new__(BaseClient)
call = lambda: client._make_api_call("Call")
"""


def counted(work: str) -> Any:
    """What `work` prints, in a process of its own: counting changes boto3 and the pools for good."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(work)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_critical_path_has_most_calls() -> None:
    api, role, group, function, stage = (
        (kind, "x") for kind in ("api", "role", "group", "function", "stage")
    )
    after = {
        api: frozenset[Any](),
        group: frozenset[Any](),
        role: frozenset({api}),
        function: frozenset({role, group}),
        stage: frozenset({function, api}),
    }
    ways = {
        api: ChainLength(1),
        group: ChainLength(2),
        role: ChainLength(2),
        function: ChainLength(3, 0.5),
        stage: ChainLength(1),
    }
    assert longest_chain(after, ways) == ChainLength(1 + 2 + 3 + 1, 0.5)
    assert longest_chain(after, {**ways, group: ChainLength(9)}) == ChainLength(9 + 3 + 1, 0.5)
    # Longer by time, with fewer calls.
    assert longest_chain(after, {**ways, group: ChainLength(1, 2.0)}) == ChainLength(1 + 3 + 1, 2.5)
    # What a failure left undone made no calls.
    assert longest_chain(after, {api: ChainLength(1)}) == ChainLength(1)
    assert longest_chain({}, {}) == ChainLength()


def test_calls_in_a_row_count_each_and_calls_at_once_count_once() -> None:
    assert counted(
        """
        call(); call()
        row = call_chain._clock.length.calls
        with ParallelReads(4) as start:
            started = [start(call) for _ in range(4)]
            [each() for each in started]
            at_once = call_chain._clock.length.calls
            long, short = start(lambda: (call(), call(), call())), start(call)
            short(); long()
        print(json.dumps([row, at_once, call_chain._clock.length.calls]))
        """
    ) == [2, 3, 6]


def test_nested_reads_count_from_start_of_their_parent() -> None:
    assert (
        counted(
            """
            def api():
                call()
                inside = [start(call) for _ in range(3)]
                return [each() for each in inside]
            with ParallelReads(1) as start:
                waiting = [start(api), start(call)]
                [each() for each in waiting]
            print(call_chain._clock.length.calls)
            """
        )
        == 2
    )


def test_plan_is_counted_by_dependencies_and_not_by_end_times() -> None:
    assert counted(
        """
        from nwchatctl.deploy import executor
        from nwchatctl.deploy.changes import Create, changed_key
        from nwchatctl.deploy.model.storage import LogGroup
        from nwchatctl.deploy.planner import Plan
        changes = tuple(Create(LogGroup(name, 1, ())) for name in "abc")
        a, b, c = map(changed_key, changes)
        plan = Plan(changes, {a: frozenset(), b: frozenset(), c: frozenset({a})})
        times = {a: 1, b: 4, c: 2}
        def apply(change):
            for _ in range(times[changed_key(change)]):
                call()
        call()
        executor.execute(plan, apply)
        first = call_chain._clock.length.calls
        # One worker: all in a row by the clock on the wall, and not by need.
        executor.execute(plan, apply, workers=1)
        print(json.dumps([first, call_chain._clock.length.calls]))
        """
    ) == [1 + 4, 1 + 4 + 4]


def test_polls_of_pending_resources_are_not_counted_as_calls() -> None:
    assert counted(
        """
        from types import SimpleNamespace
        now = [0.0]
        call_chain.time = SimpleNamespace(monotonic=lambda: now[0])
        # CreateFunction, asked twice too early, with pauses; then it is there, after another pause.
        client._make_api_call("CreateFunction", {"State": "Pending"})
        for answer in ("Pending", "Pending", "Active"):
            now[0] += 0.25
            client._make_api_call("GetFunction", {"Configuration": {"State": answer}})
        print(json.dumps([call_chain._clock.length.calls, call_chain._clock.length.pending_seconds]))
        """
        # The third pause is the tool's.
    ) == [2, 0.5]


def test_pending_states_are_recognized() -> None:
    assert is_pending({"Configuration": {"State": "Active", "LastUpdateStatus": "InProgress"}})
    assert is_pending({"Table": {"TableStatus": "CREATING"}})
    assert not is_pending({"Configuration": {"State": "Active", "LastUpdateStatus": "Successful"}})
    assert not is_pending({"Table": {"TableStatus": "ACTIVE"}})
    assert not is_pending({"Items": []})
