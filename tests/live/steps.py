"""The steps of a run in their order, and what each creates. A step that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.identities import CommandFailed
from tests.live.measure import chats, functions, sockets, stages, storage
from tests.live.measure.sockets import Refused
from tests.live.question_list import QUESTIONS
from tests.live.run import Run, TimeExceeded

LEFT_OUT = "--quick leaves it out"


@dataclass(frozen=True, slots=True)
class Step:
    """`measure` answers the questions whose ids are `questions`. `needs` names the steps whose resources
    it uses; `makes` says what it creates, for the operator."""

    name: str
    measure: Callable[[Run], None]
    makes: str
    questions: tuple[str, ...]
    needs: tuple[str, ...] = ()


STEPS = (
    # Asked in the background, from the beginning to the end.
    Step("recovery", lambda run: None, "a DynamoDB table with point-in-time recovery", ("recovery-ready",)),
    Step(
        "table",
        storage.measure_table,
        "a DynamoDB table",
        ("table-active", "table-two-changes", "ttl-twice"),
    ),
    Step(
        "chat",
        chats.measure_chat,
        "an IAM user with the policy of `policy deploy`, and a chat with all of its resources",
        ("policy-enough", "plan-empty", "smoke", "destroy-complete"),
    ),
    Step(
        "function",
        functions.measure_function,
        "a role and a Lambda function",
        ("role-visible", "role-assumable", "function-active", "permission-overlap"),
    ),
    Step(
        "tagging",
        stages.measure_tagging,
        "two IAM users and APIs without a stage",
        ("tag-api", "tag-stage", "tag-domain", "tag-condition"),
    ),
    Step(
        "stage",
        stages.measure_stage,
        "a WebSocket API with two stages",
        (
            *("deployment-without-routes", "gateway-tags-visible", "function-updated", "first-connect"),
            *("deployment-in-use", "undeployed-route", "route-response", "deployment-with-auto-deploy"),
        ),
        needs=("function",),
    ),
    Step(
        "sockets",
        sockets.measure_sockets,
        "nothing: about twenty connections",
        (
            *("id-form", "id-first-character", "get-fields", "post-too-large", "post-closed", "get-closed"),
            *("delete-closed", "close-by-delete", "close-by-client", "close-too-big", "close-binary"),
            "post-inside-connect",
        ),
        needs=("stage",),
    ),
    Step(
        "throttling",
        sockets.measure_throttling,
        "nothing: about a hundred requests at once",
        ("throttle-messages", "throttle-frame", "throttle-posts"),
        needs=("stage",),
    ),
    Step(
        "names",
        storage.measure_recreation,
        "an SQS queue and an SSM parameter",
        ("parameter-recreation", "queue-recreation"),
    ),
    Step(
        "visibility",
        storage.measure_visibility,
        "an SQS queue and a log group",
        ("queue-tags-visible", "retention-visible"),
    ),
    Step(
        "adoption",
        chats.measure_adoption,
        "an IAM user with the policies of `policy deploy` and `policy adopt`, and a chat of the probe API",
        ("adopt-auto-deploy",),
        needs=("table", "stage"),
    ),
)

BY_NAME = {each.name: each for each in STEPS}


def chosen_steps(only: Collection[str] | None) -> list[Step]:
    """The steps that `only` names, with those that they need; all without it. Pure."""
    wanted = set(only or BY_NAME)
    while more := {need for each in wanted for need in BY_NAME[each].needs} - wanted:
        wanted |= more
    return [each for each in STEPS if each.name in wanted]


def measure(run: Run, only: Collection[str] | None = None) -> None:
    """Runs the steps. Recovery is waited for in the background, and after the other steps."""
    recovery = storage.RecoveryProbe(run)
    failed: dict[str, str] = {}
    if run.is_quick:
        run.reasons |= {each.id: LEFT_OUT for each in QUESTIONS if each.is_long}
    steps = chosen_steps(only)
    try:
        if BY_NAME["recovery"] in steps and not run.is_quick:
            recovery.start()
        for step in steps:
            run.say(f"measuring: {step.name}")
            began = time.monotonic()
            failed[step.name] = _failure_of(run, step, failed)
            run.durations[f"step {step.name}"] = round(time.monotonic() - began, 1)
        recovery.finish(seconds=storage.RECOVERY_SECONDS)
    finally:
        recovery.stop()


def _failure_of(run: Run, step: Step, failed: dict[str, str]) -> str:
    """Runs one step; why it failed, "" if it did not."""
    failure = next((f"step {each} failed" for each in step.needs if failed.get(each)), "")
    if time.monotonic() >= run.deadline:
        failure = "the run took too long"
    if not failure:
        try:
            step.measure(run)
        except (ClientError, BotoCoreError, TimeExceeded, Refused, CommandFailed) as error:
            failure = str(error)
        except (OSError, RuntimeError, LookupError, ValueError) as error:
            failure = f"{type(error).__name__}: {error}"
    if failure:
        run.say(f"step {step.name} failed: {failure}")
        for each in step.questions:
            run.reasons.setdefault(each, failure)
    return failure
