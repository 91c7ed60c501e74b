"""Kills a command at each of its calls to AWS in turn and holds that the same command, run again, ends where
an undisturbed one does.

A kill comes when AWS has answered a call and before the tool hears of it, which is also right before the
next one; and once before the first. Which calls there are is seen in an undisturbed run. A call has a name of
its own (`tests.e2e.forking.called`), so that each has its turn in whatever order threads come to make them.

The reads that a command begins with are some sixty, of which the first and the last are killed: who dies at
the last has sent all the others, and nothing else, so that no other could leave what that one does not. What
was there is there still: running the command again would be the undisturbed run once more, and the next call
has its turn. After each later kill it is run again, and the chat is dumped and planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.e2e.support.forked_deploys import Ended, Forks, Kill, Line
from tests.e2e.support.operator import READS, Operator
from tests.e2e.support.state_dump import Dump, differences, dump

ASKED_AGAIN = ("GetFunction ", "DescribeTable ")
"""Calls that a waiter repeats, once more or once less as it happens."""


_READS = (*READS, "Scan", "Query")


@dataclass(frozen=True)
class Way:
    """A command that leads from one state of the chat to another, as an undisturbed run of it showed.

    `plan` is the command line that says what is left to do then, `planned` what it says; `calls` are those
    that it is to be killed at. `once`: run again when all is done, the command does something else.
    """

    name: str
    line: Line
    plan: Line
    before: Dump
    after: Dump
    planned: Any
    calls: tuple[str, ...]
    once: bool = False


@dataclass
class Tally:
    """How far a way has been gone: `killed` names the calls that were a process's last, `read` the reads that
    it begins with, between the first and the last. `changed` counts the processes that had begun to change
    something."""

    way: Way
    next: list[Kill]
    killed: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    changed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.way.name}: {len({*self.killed, *self.read})} AWS calls, killed {len(self.killed)} times, "
            f"{self.changed} times half done; run again, it ended each time as if undisturbed"
        )

    @property
    def missed(self) -> list[str]:
        """The calls that no process was killed at, but for those that only ask whether something is ready."""
        again = {each for each in self.way.calls if "#" in each and each.startswith(ASKED_AGAIN)}
        known = {*self.killed, *self.read, *again}
        return [each for each in self.way.calls if each not in known]


class Killing:
    """Kills commands about one chat. `meanwhile` is called after each kill of one that had begun to
    change something, and after the run that followed it."""

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
        if not tally.killed:
            self._reading(tally)
        if tally.next:
            kill = tally.next.pop(0)
            ran = self.forks.run(way.line, kill)
            if ran.code is not None:
                # It came to its end without that call.
                self._arrived(way, kill, ran)
                return
            tally.killed.append(kill.call)
            tally.changed += 1
            self.meanwhile()
            if way.once and dump(self.chat) == way.after:
                return
            self._arrived(way, kill, self.forks.run(way.line))
            self.meanwhile()
            return
        self.done(way.line)

    def _reading(self, tally: Tally) -> None:
        """The kills at those calls that come before the first which is no read: they leave nothing."""
        kills = []
        while tally.next and tally.next[0].call.startswith(_READS):
            kills.append(tally.next.pop(0))
        tally.read = [each.call for each in kills[1:-1]]
        for kill in dict.fromkeys([*kills[:1], *kills[-1:]]):
            ran = self.forks.run(tally.way.line, kill)
            assert ran.code is None, (kill, ran)
            tally.killed.append(kill.call)
        assert differences(tally.way.before, dump(self.chat)) == [], "a read changed something"

    def _arrived(self, way: Way, kill: Kill, ran: Ended) -> None:
        where = f"{way.name}, killed {kill.moment} {kill.call}"
        assert ran.code == 0, (where, ran)
        different = differences(way.after, dump(self.chat))
        assert not different, "\n".join([where, *(each[:300] for each in different[:12])])
        left = self.done(way.plan)["changes"]
        assert left == way.planned, (where, left)


def planning(line: Line) -> Line:
    """What says what a deploy as `line` would do."""
    return replace(line, argv=("plan", "--json"))


def there_and_back(killing: Killing, name: str, one: Line, other: Line) -> list[Way]:
    """The ways between two configurations, begun and ended at `one`; of the way back, those calls only that
    the way there has not."""
    there = killing.undisturbed(name, other, planning(other))
    back = killing.undisturbed(f"{name}, the other calls of the way back", one, planning(one))
    assert (there.planned, back.planned) == ([], [])
    assert differences(back.after, there.before) == []
    return [there, replace(back, calls=tuple(each for each in back.calls if each not in there.calls))]


def wipe(chat: Operator) -> None:
    """Takes all of a chat away, fast and without the tool."""
    for each in chat._apis():
        if each["Name"] in (f"nwchat-{chat.name}", chat.called("history")):
            chat.api.delete_api(ApiId=each["ApiId"])
    removers: dict[str, Callable[[str], object]] = {
        "function": lambda name: chat.root("lambda").delete_function(FunctionName=name),
        "role": lambda name: _remove_role(chat, name),
        "log-group": lambda name: chat.root("logs").delete_log_group(logGroupName=name),
        "queue": lambda name: _remove_queue(chat, name),
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


def _remove_queue(chat: Operator, name: str) -> None:
    sqs = chat.root("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _remove_table(chat: Operator, name: str) -> None:
    dynamodb = chat.root("dynamodb")
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)
