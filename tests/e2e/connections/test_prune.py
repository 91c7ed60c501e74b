"""`connections prune`: real sockets, rows whose socket is gone, and an AWS that fails."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support.chat import Chat, Frame, connection_row, eventually, gather, now_ms, unique
from tests.e2e.support.fault_proxy import Call, Fault, proxy
from tests.e2e.support.proxied_sandbox import proxied_sandbox

KEYS = {"checked", "gone", "deleted", "kept_young", "failed", "dry_run", "duration_seconds"}
HOUR_MS = 3_600_000
FATES = ("alive", "deleted", "kept_young", "changed", "left", "failed")


def counts(pruned: Any) -> dict[str, int]:
    return {name: pruned[name] for name in ("checked", "gone", *FATES)}


def expected(**some: int) -> dict[str, int]:
    return {**dict.fromkeys(("checked", "gone", *FATES), 0), **some}


def aged(chat: Chat) -> set[str]:
    """Makes all rows an hour old, so that nothing but its socket spares any; their ids."""
    rows = chat.rows()
    made = {"N": str(now_ms() - HOUR_MS)}
    chat.put_connections(*({**row, "connected_at": made} for row in rows.values()))
    return set(rows)


@contextmanager
def stale(chat: Chat, *rows: Frame) -> Iterator[None]:
    """Rows that are there at first, and none of them in the end."""
    chat.put_connections(*rows)
    try:
        yield
    finally:
        chat.delete_connections(*(row["connection_id"]["S"] for row in rows))


def test_only_rows_of_closed_sockets_are_deleted(chat: Chat) -> None:
    chat.wait_until_empty()
    expired = connection_row("stale-expired", age_ms=3 * HOUR_MS)
    expired["expires_at"] = {"N": str(now_ms() // 1000 - 1)}
    timeless = {"connection_id": {"S": "stale-timeless"}}
    odd = {"connection_id": {"S": "stale=odd/+%"}, "connected_at": {"S": "yesterday"}}
    rows = (
        connection_row("stale-old", age_ms=HOUR_MS),
        connection_row("-stale=", age_ms=HOUR_MS, uname="tchalvak"),
        expired,
        timeless,
        odd,
        connection_row("stale-young"),
        connection_row("stale-tomorrow", age_ms=-HOUR_MS),
    )
    with chat.expiry_off(), chat.players(3) as (one, *others), stale(chat, *rows):
        live = {key for key in chat.rows() if "stale" not in key}
        before = chat.rows()
        planned = chat.json("connections", "prune", "-n")
        assert set(planned) >= KEYS
        assert (planned["dry_run"], chat.rows()) == (True, before)
        assert counts(planned) == expected(checked=10, gone=7, alive=3, kept_young=2, left=5)
        done = chat.json("connections", "prune")
        assert counts(done) == expected(checked=10, gone=7, alive=3, kept_young=2, deleted=5)
        assert (done["dry_run"], done["stopped"]) == (False, None)
        assert set(chat.rows()) == live | {"stale-young", "stale-tomorrow"}
        again = chat.json("connections", "prune", "--grace", "50s")
        assert counts(again) == expected(checked=5, gone=2, alive=3, kept_young=1, deleted=1)
        # Whoever was there is there, and hears.
        text = unique()
        one.send(text)
        for each in (one, *others):
            assert each.receive_text(text)


def test_rows_of_unclean_disconnects_are_deleted(chat: Chat) -> None:
    """Their $disconnect never came: their rows are as they were."""
    chat.wait_until_empty()
    with chat.players(4) as staying:
        with chat.players(4):
            kept = aged(chat)
            rows = chat.rows()
        eventually(lambda: len(chat.rows()), 4)
        live = chat.rows().keys()
        with stale(chat, *(row for key, row in rows.items() if key not in live)):
            assert set(chat.rows()) == kept
            done = chat.json("connections", "prune")
            assert counts(done) == expected(checked=8, gone=4, alive=4, deleted=4)
            assert chat.rows().keys() == live
        assert [len(frames) for frames in gather(*staying)] == [0] * 4


def test_only_idle_connections_are_checked(chat: Chat) -> None:
    chat.wait_until_empty()
    active = connection_row("stale-talked", age_ms=2 * HOUR_MS)
    active["last_seen_at"] = {"N": str(now_ms() - 60_000)}
    rows = (
        active,
        connection_row("stale-new", age_ms=10 * 60_000),
        connection_row("stale-old", age_ms=2 * HOUR_MS),
    )
    with stale(chat, *rows):
        done = chat.json("connections", "prune", "--older-than", "1h")
        assert counts(done) == expected(checked=1, gone=1, deleted=1)
        assert set(chat.rows()) == {"stale-talked", "stale-new"}


def test_output_for_people_and_for_cron(chat: Chat) -> None:
    chat.wait_until_empty()
    with stale(chat, connection_row("stale-old", age_ms=HOUR_MS), connection_row("stale-young")):
        would = chat.nwchatctl("connections", "prune", "--dry-run")
        loud = chat.nwchatctl("connections", "prune")
        quiet = chat.nwchatctl("-q", "connections", "prune")
    assert (would.code, would.out) == (0, "2 checked, 2 gone: 1 would be deleted, 1 too young to go\n")
    assert (loud.code, loud.out) == (0, "2 checked, 2 gone: 1 deleted, 1 too young to go\n")
    assert loud.err.startswith(
        f"account 000000000000, us-east-2 (sandbox): chat {chat.name}, stage production\n"
    )
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


FAULTS = (
    Fault.BARE_429,
    Fault.THROTTLED,
    Fault.BROKEN_500,
    Fault.BROKEN_502,
    Fault.BROKEN_503,
    Fault.RESET_BEFORE,
    Fault.RESET_AFTER,
    Fault.CUT,
)


class Failing:
    """Of the calls about sockets and of those that delete rows, `share` of each hundred fail, in turns."""

    def __init__(self, share: int) -> None:
        self.share = share
        self.chosen = 0
        self._due = 0

    def __call__(self, call: Call) -> Fault | None:
        if call.service != "execute-api" and call.operation != "DeleteItem":
            return None
        self._due += self.share
        if self._due < 100:
            return None
        self._due -= 100
        self.chosen += 1
        return FAULTS[self.chosen % len(FAULTS)]


@pytest.mark.parametrize("share", [5, 20, 50])
def test_prune_survives_faults_of_aws(chat: Chat, tmp_path: Path, share: int) -> None:
    """Every row is in one count, no live one is deleted, and a quiet prune gets the rest."""
    chat.wait_until_empty()
    dead = tuple(connection_row(f"stale-{number}", age_ms=HOUR_MS) for number in range(40))
    failing = Failing(share)
    with (
        chat.players(20) as players,
        proxy(chat.sandbox.endpoint, failing) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "before") as before,
        stale(chat, *dead),
    ):
        live = aged(chat) - {row["connection_id"]["S"] for row in dead}
        far = Chat(before, chat.name, chat.settings)
        done = far.nwchatctl("--timeout", "50", "connections", "prune", "--json")
        pruned = done.data
        assert pruned["checked"] == sum(pruned[each] for each in FATES) == 60, done
        assert pruned["retries"] > 0
        assert done.code == (5 if pruned["failed"] else 0), done
        rows = chat.rows()
        assert live <= rows.keys()
        # Nobody writes here: what changed was deleted, and the answer was lost; so may be what failed.
        undecided = pruned["changed"] + pruned["failed"]
        assert 60 - pruned["deleted"] - undecided <= len(rows) <= 60 - pruned["deleted"]
        quiet = chat.json("connections", "prune")
        assert counts(quiet) == expected(
            checked=len(rows), gone=len(rows) - 20, alive=20, deleted=len(rows) - 20
        )
        assert chat.rows().keys() == live
        assert [len(frames) for frames in gather(*players)] == [0] * 20
    assert failing.chosen >= share * 60 // 100


@pytest.mark.parametrize("fault", [Fault.BARE_429, Fault.BROKEN_503, Fault.RESET_BEFORE])
def test_missing_response_deletes_no_row(chat: Chat, tmp_path: Path, fault: Fault) -> None:
    chat.wait_until_empty()

    def silent(call: Call) -> Fault | None:
        return fault if call.service == "execute-api" else None

    with (
        proxy(chat.sandbox.endpoint, silent) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "before") as before,
        stale(chat, connection_row("stale-old", age_ms=HOUR_MS)),
    ):
        done = Chat(before, chat.name, chat.settings).nwchatctl("-q", "connections", "prune")
        assert (done.code, done.out) == (5, "1 checked, 0 gone: 0 deleted, 1 failed\n")
        assert set(chat.rows()) == {"stale-old"}


@pytest.mark.parametrize(
    ("number", "code", "reason"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_stopped_prune_reports_and_can_be_repeated(chat: Chat, number: int, code: int, reason: str) -> None:
    chat.wait_until_empty()
    rows = tuple(connection_row(f"stale-{each:03}", age_ms=HOUR_MS) for each in range(300))
    with stale(chat, *rows):
        with chat.running("connections", "prune", "--rate", "20", "--json") as running:
            eventually(lambda: len(chat.rows()) < 300, True)
            done = running.wait(number)
        pruned = json.loads(done.out)
        assert (done.code, pruned["stopped"]) == (code, reason), done
        assert done.err == f"warning: {reason}: the same command again goes on\n"
        assert 0 < pruned["deleted"] <= pruned["checked"] < 300
        assert pruned["checked"] == sum(pruned[each] for each in FATES)
        assert counts(chat.json("connections", "prune"))["deleted"] == 300 - pruned["deleted"]
        assert chat.rows() == {}


def test_prune_reports_before_timeout(chat: Chat) -> None:
    chat.wait_until_empty()
    with stale(chat, *(connection_row(f"stale-{each:03}", age_ms=HOUR_MS) for each in range(100))):
        done = chat.nwchatctl("--timeout", "15s", "connections", "prune", "--rate", "5", "--json")
    assert (done.code, done.data["stopped"]) == (5, "timed out"), done
    assert done.data["checked"] < 100
