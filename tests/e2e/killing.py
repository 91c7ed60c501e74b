"""Kills a command at each of its calls to AWS in turn and holds that the same command, run again, ends where
an undisturbed one does.

A kill comes when AWS has answered a call and before the tool hears of it, which is also right before the
next one; and once before the first. Which calls there are is seen in an undisturbed run. A call has a name of
its own (`tests.e2e.forking.called`), so that each has its turn in whatever order threads come to make them.

What a killed command leaves is looked at. Where that is exactly what was there before, which is so while the
command only reads, running it again would be the undisturbed run once more: the dumps are compared, and the
next call has its turn. Everything else is run again, dumped and planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.deploying import Operator
from tests.e2e.dumping import Dump, differences, dump
from tests.e2e.forking import Ended, Forks, Kill, Line

ASKED_AGAIN = ("GetFunction ", "DescribeTable ")
"""Calls that a waiter repeats, once more or once less as it happens."""


@dataclass(frozen=True)
class Way:
    """A command that leads from one state of the chat to another, as an undisturbed run of it showed.

    `plan` is the command line that says what is left to do then, `planned` what it says.
    """

    name: str
    line: Line
    plan: Line
    before: Dump
    after: Dump
    planned: Any
    calls: tuple[str, ...]


@dataclass
class Tally:
    """How far a way has been gone: `killed` names the calls that were a process's last, `changed` counts the
    processes that left something other than they found."""

    way: Way
    next: list[Kill]
    killed: list[str] = field(default_factory=list)
    changed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.way.name}: killed at {len(self.killed)} calls, {self.changed} of them left something "
            "half done, and running it again ended where an undisturbed run does each time"
        )

    @property
    def missed(self) -> list[str]:
        """The calls that no process was killed at, but for those that only ask whether something is ready."""
        again = {each for each in self.way.calls if "#" in each and each.startswith(ASKED_AGAIN)}
        return [each for each in self.way.calls if each not in self.killed and each not in again]


class Killing:
    """Kills commands about one chat. `meanwhile` is called after each kill that left something, and after
    each run that followed it."""

    def __init__(self, chat: Operator, forks: Forks, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.chat = chat
        self.forks = forks
        self.meanwhile = meanwhile

    def done(self, line: Line) -> Any:
        """Runs a command that has to succeed; what it printed."""
        return self.forks.run(line).data

    def undisturbed(self, name: str, line: Line, plan: Line) -> Way:
        """Goes a way once and remembers it."""
        before = dump(self.chat)
        ran = self.forks.run(line)
        assert ran.code == 0, ran
        assert len(set(ran.calls)) == len(ran.calls)
        return Way(name, line, plan, before, dump(self.chat), self.done(plan)["changes"], ran.calls)

    def at_every_call(self, ways: Sequence[Way], back: Callable[[], object] = lambda: None) -> list[Tally]:
        """Kills each of the ways at every call. The next one begins where one ends; `back` leads from the end
        of the last to the start of the first. The chat is at the start of the first way now and after."""
        tallies = [
            Tally(way, [Kill(way.calls[0], "before"), *(Kill(each) for each in way.calls)]) for way in ways
        ]
        while any(tally.next for tally in tallies):
            for tally in tallies:
                self._go(tally)
            back()
        for tally in tallies:
            assert tally.missed == [], str(tally)
        return tallies

    def _go(self, tally: Tally) -> None:
        """From the way's start to its end, by way of a kill that leaves something where one is to come."""
        way = tally.way
        while tally.next:
            kill = tally.next.pop(0)
            ran = self.forks.run(way.line, kill)
            if ran.code is not None:
                # It came to its end without that call.
                self._arrived(way, kill, ran)
                return
            tally.killed.append(kill.call)
            left = dump(self.chat)
            if left == way.before:
                continue
            tally.changed += 1
            self.meanwhile()
            self._arrived(way, kill, self.forks.run(way.line))
            self.meanwhile()
            return
        self.done(way.line)

    def _arrived(self, way: Way, kill: Kill, ran: Ended) -> None:
        where = f"{way.name}, killed {kill.moment} {kill.call}"
        assert ran.code == 0, (where, ran)
        different = differences(way.after, dump(self.chat))
        assert not different, "\n".join([where, *different])
        assert self.done(way.plan)["changes"] == way.planned, where


def wipe(chat: Operator) -> None:
    """Takes all of a chat away, fast and without the tool."""
    for each in chat._apis():
        if each["Name"] == f"nwchat-{chat.name}":
            chat.api.delete_api(ApiId=each["ApiId"])
    removers: dict[str, Callable[[str], object]] = {
        "function": lambda name: chat.root("lambda").delete_function(FunctionName=name),
        "role": lambda name: _remove_role(chat, name),
        "log-group": lambda name: chat.root("logs").delete_log_group(logGroupName=name),
        "table": lambda name: _remove_table(chat, name),
    }
    for each in chat.there():
        kind, name = each.split()
        removers[kind](name)
    assert dump(chat) == {}


def _remove_role(chat: Operator, name: str) -> None:
    iam = chat.root("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _remove_table(chat: Operator, name: str) -> None:
    dynamodb = chat.root("dynamodb")
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)
