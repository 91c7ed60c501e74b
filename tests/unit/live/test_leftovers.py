"""The journal, and which resources a run may remove."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.live import journal
from tests.live.leftovers import Account, Leftover, is_expired, of_run, remove, run_of

RUN = "abcd1234"


@pytest.mark.parametrize(
    ("name", "run"),
    [
        (f"livecheck-{RUN}-probe", RUN),
        (f"nwchat-livecheck-{RUN}-a-connect", RUN),
        (f"nwchat-livecheck-{RUN}-a", RUN),
        (f"/aws/lambda/nwchat-livecheck-{RUN}-a-connect", RUN),
        (f"/nwchat-livecheck-{RUN}-a/token-keys", RUN),
        (f"livecheck-{RUN}-domain.example.com", RUN),
        ("nwchat-dojo-connect", ""),
        ("nwchat-livecheck-connect", ""),
        ("livecheck-mine-probe", ""),
        (f"my-livecheck-{RUN}-probe", ""),
        (f"livecheck-{RUN}5-probe", ""),
    ],
)
def test_the_run_is_in_the_name(name: str, run: str) -> None:
    assert run_of(name) == run


def leftover(name: str, tags: Mapping[str, str] | None = None) -> Leftover:
    return Leftover("table", name, lambda: tags or {}, lambda: None)


@pytest.mark.parametrize(
    ("tags", "expired"),
    [
        ({"livecheck": RUN, "livecheck-expires": "1000"}, True),
        # A day: the time is that of the collection, and the whole suite may run before this test.
        ({"livecheck": RUN, "livecheck-expires": str(int(time.time()) + 86_400)}, False),
        ({"livecheck": "zbcd1234", "livecheck-expires": "1000"}, False),
        ({"livecheck": RUN, "livecheck-expires": "soon"}, False),
        ({}, False),
    ],
)
def test_another_runs_resource_is_removed_only_after_its_expiry(tags: dict[str, str], expired: bool) -> None:
    assert is_expired(leftover(f"livecheck-{RUN}-probe", tags)) is expired


class Deletions(Account):
    """An account whose resources refuse their removal a few times."""

    def __init__(self, refusals: Mapping[str, int]) -> None:
        self.left = dict(refusals)

    def leftovers(self) -> list[Leftover]:
        return [Leftover("role", each, dict, partial(self.delete, each)) for each in self.left]

    def delete(self, name: str) -> None:
        self.left[name] -= 1
        if self.left[name] < 0:
            del self.left[name]


def test_removal_is_repeated_and_keeps_other_runs() -> None:
    own, other = f"livecheck-{RUN}-probe", "livecheck-other123-probe"
    account = Deletions({own: 3, other: 0})
    assert remove(account, of_run(RUN), lambda text: None, lambda seconds: None) == []
    assert set(account.left) == {other}


def test_the_journal_knows_the_runs_that_did_not_end(tmp_path: Path) -> None:
    path = tmp_path / "state" / "live.jsonl"
    with journal.opened(path, "here", print) as opened:
        opened.note("killed01", made="table", name="x")
        opened.note("ended001", made="table", name="x")
        opened.note("ended001", done=True)
        assert opened.unfinished() == ["killed01"]
    assert path.stat().st_mode & 0o777 == 0o600
    # Half of the last line, as after a SIGKILL.
    path.write_text(path.read_text() + '{"run": "half')
    with journal.opened(path, "elsewhere", print) as opened:
        assert opened.unfinished() == []
        opened.note("another1", made="table", name="x")
        assert opened.unfinished() == ["another1"]


def test_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SAY_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(journal, "WAIT_SECONDS", 0.0)
    path, said = tmp_path / "live.jsonl", list[str]()
    first = journal.opened(path, "here", said.append)
    with first, pytest.raises(journal.JournalBusy), journal.opened(path, "here", said.append):
        pass
    assert said == ["waiting for the processes of another run to end"]


def test_the_account_is_not_in_the_journal() -> None:
    assert "123456789012" not in journal.target_name("us-east-2", "123456789012")
