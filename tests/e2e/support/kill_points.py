"""Kills a command at each of its calls to AWS and checks that the same command, run again, reaches the same
end state as an uninterrupted run.

A command is killed once before its first call, and after each call: AWS has answered, but the tool has not
received the answer. The calls are taken from an uninterrupted run. Each call has a unique name
(`forked_deploys.call_name`), so the order in which threads send calls does not matter.

A command starts with about sixty reads. Only the first and the last of them are kill points: a command that
is killed at the last read has sent all the others and changed nothing. After each later kill the command runs
again, and the chat is dumped. It is planned after some of them: a plan follows from what a dump has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.e2e.support.forked_deploys import CommandLine, ForkResult, Forks, KillPoint
from tests.e2e.support.operator import READS, Operator
from tests.e2e.support.state_dump import Dump, differences, dump

ASKED_AGAIN = ("GetFunction ", "DescribeTable ")
"""Calls that a waiter repeats; how often varies from run to run."""


_READS = (*READS, "Scan", "Query")


_CHECKS_PER_PLAN = 8
"""A plan takes as long as all the reads of a deploy."""


@dataclass(frozen=True)
class Transition:
    """A command that changes the chat from one state to another, recorded in an uninterrupted run.

    `plan` is the command line that shows the remaining changes afterwards, `planned` its output. `calls` are
    the kill points. `once`: the command must not run again after it has completed.
    """

    name: str
    line: CommandLine
    plan: CommandLine
    before: Dump
    after: Dump
    planned: Any
    calls: tuple[str, ...]
    once: bool = False


@dataclass
class KillProgress:
    """Which kill points are done. `killed` are the calls at which a process was killed, `read` the reads at
    the start that are not killed. `changed` counts the processes that were killed after their first
    change."""

    transition: Transition
    next: list[KillPoint]
    killed: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    changed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.transition.name}: {len({*self.killed, *self.read})} AWS calls, "
            f"killed {len(self.killed)} times, {self.changed} times after a change; "
            "the next run always reached the end state"
        )

    @property
    def not_killed(self) -> list[str]:
        """The calls at which no process was killed, without the repeated calls of waiters."""
        again = {each for each in self.transition.calls if "#" in each and each.startswith(ASKED_AGAIN)}
        known = {*self.killed, *self.read, *again}
        return [each for each in self.transition.calls if each not in known]


class KillRunner:
    """Kills commands about one chat. `after_kill` is called after each kill that may have left changes, and
    after the run that follows it."""

    def __init__(self, chat: Operator, forks: Forks, after_kill: Callable[[], object] = lambda: None) -> None:
        self.chat = chat
        self.forks = forks
        self.after_kill = after_kill
        self._checks = 0

    def run(self, line: CommandLine) -> Any:
        """Runs a command that must succeed. Returns its JSON."""
        return self.forks.run(line).data

    def run_uninterrupted(self, name: str, line: CommandLine, plan: CommandLine) -> Transition:
        """Runs a command once and records the transition."""
        before = dump(self.chat)
        ran = self.forks.run(line)
        assert ran.code == 0, ran
        assert len(set(ran.calls)) == len(ran.calls)
        return Transition(name, line, plan, before, dump(self.chat), self.run(plan)["changes"], ran.calls)

    def kill_at_every_call(
        self, transitions: Sequence[Transition], back: Callable[[], object] = lambda: None
    ) -> list[KillProgress]:
        """Kills each transition at every call. Each transition starts where the one before ends; `back`
        restores the start of the first. The chat is in that state before and after."""
        progresses = [
            KillProgress(
                transition,
                [KillPoint(transition.calls[0], "before"), *(KillPoint(each) for each in transition.calls)],
            )
            for transition in transitions
        ]
        while any(progress.next for progress in progresses):
            for progress in progresses:
                self._kill_next(progress)
            back()
        for progress in progresses:
            assert progress.not_killed == [], str(progress)
        return progresses

    def _kill_next(self, progress: KillProgress) -> None:
        """Goes from the start state to the end state, with a kill in between if a kill point is left."""
        transition = progress.transition
        if not progress.killed:
            self._kill_reads(progress)
        if progress.next:
            kill = progress.next.pop(0)
            ran = self.forks.run(transition.line, kill)
            if ran.code is not None:
                # The command ended without that call.
                self._check_end_state(transition, kill, ran)
                return
            progress.killed.append(kill.call)
            progress.changed += 1
            self.after_kill()
            if transition.once and dump(self.chat) == transition.after:
                return
            self._check_end_state(transition, kill, self.forks.run(transition.line))
            self.after_kill()
            return
        self.run(transition.line)

    def _kill_reads(self, progress: KillProgress) -> None:
        """Kills at the first and the last of the reads at the start, which leave no changes."""
        kills = []
        while progress.next and progress.next[0].call.startswith(_READS):
            kills.append(progress.next.pop(0))
        progress.read = [each.call for each in kills[1:-1]]
        for kill in dict.fromkeys([*kills[:1], *kills[-1:]]):
            ran = self.forks.run(progress.transition.line, kill)
            assert ran.code is None, (kill, ran)
            progress.killed.append(kill.call)
        assert differences(progress.transition.before, dump(self.chat)) == [], "a read changed something"

    def _check_end_state(self, transition: Transition, kill: KillPoint, ran: ForkResult) -> None:
        where = f"{transition.name}, killed {kill.moment} {kill.call}"
        assert ran.code == 0, (where, ran)
        different = differences(transition.after, dump(self.chat))
        assert not different, "\n".join([where, *(each[:300] for each in different[:12])])
        self._checks += 1
        if self._checks % _CHECKS_PER_PLAN == 1:
            left = self.run(transition.plan)["changes"]
            assert left == transition.planned, (where, left)


def plan_line(line: CommandLine) -> CommandLine:
    """The command line that plans what `line` deploys."""
    return replace(line, argv=("plan", "--json"))


def round_trip(kill_runner: KillRunner, name: str, one: CommandLine, other: CommandLine) -> list[Transition]:
    """The transitions from `one` to `other` and back. The second has only the calls that the first does
    not."""
    there = kill_runner.run_uninterrupted(name, other, plan_line(other))
    back = kill_runner.run_uninterrupted(f"{name}, back: other calls", one, plan_line(one))
    assert (there.planned, back.planned) == ([], [])
    assert differences(back.after, there.before) == []
    return [there, replace(back, calls=tuple(each for each in back.calls if each not in there.calls))]


def wipe(chat: Operator) -> None:
    """Deletes all resources of a chat, fast and without the tool."""
    for each in chat._apis():
        if each["Name"] in (f"nwchat-{chat.name}", chat.resource_name("history")):
            chat.api.delete_api(ApiId=each["ApiId"])
    removers: dict[str, Callable[[str], object]] = {
        "function": lambda name: chat.root("lambda").delete_function(FunctionName=name),
        "role": lambda name: _remove_role(chat, name),
        "log-group": lambda name: chat.root("logs").delete_log_group(logGroupName=name),
        "queue": lambda name: _remove_queue(chat, name),
        "table": lambda name: _remove_table(chat, name),
    }
    for each in chat.resources():
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
