"""Questions about DynamoDB, SQS, SSM and CloudWatch Logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.run import Run, TimeExceeded, error_code, refused

RECOVERY_SECONDS = 1200.0
"""As long as the tool waits for point-in-time recovery."""

ATTEMPTS = 3

KEY = "connectionid"
"""The probe table's key: the table is that of the adopted chat as well."""

TTL_SECONDS = 30.0
"""How long to wait until expiry is enabled: usually at once, up to an hour (UpdateTimeToLive)."""


def measure_table(run: Run) -> None:
    """A new table: when it is ACTIVE, and what it refuses."""
    tables, name = run.client("dynamodb", retries=False), run.name("probe")
    _create_table(run, tables, name)
    run.answer("table-active", _await_active(run, tables, name))
    two = {"BillingMode": "PROVISIONED", "DeletionProtectionEnabled": True}
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    run.answer(
        "table-two-changes",
        refused(
            lambda: tables.update_table(TableName=name, ProvisionedThroughput=throughput, **two),
            "ValidationException",
        ),
    )
    _await_active(run, tables, name)
    _measure_ttl(run, tables, name)


def _create_table(run: Run, tables: Any, name: str) -> None:
    tables.create_table(
        TableName=run.making("table", name),
        KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=run.tag_list,
    )


def _await_active(run: Run, tables: Any, name: str) -> float:
    """Waits until the table is ACTIVE; the seconds that it took."""

    def is_active() -> bool:
        found = tables.describe_table(TableName=name)["Table"]
        return bool(found["TableStatus"] == "ACTIVE")

    return run.until(is_active, seconds=120, every=0.2, what=f"the table {name}")


def _measure_ttl(run: Run, tables: Any, name: str) -> None:
    def change(is_enabled: bool) -> Callable[[], object]:
        wanted = {"Enabled": is_enabled, "AttributeName": "expires"}
        return lambda: tables.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)

    def is_enabled() -> bool:
        found = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        return bool(found["TimeToLiveStatus"] == "ENABLED")

    change(True)()
    # A second change is refused whether the first one is complete or not.
    with suppress(TimeExceeded):
        run.until(is_enabled, seconds=TTL_SECONDS, every=1, what="the table's expiry")
    run.answer("ttl-twice", refused(change(False), "ValidationException"))


class RecoveryProbe:
    """Switches recovery of a table of its own on, in the background: it may take many minutes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        # botocore's clients are made in the main thread: making them is not safe in several.
        self._tables = run.client("dynamodb", retries=False)

    def start(self) -> None:
        """Creates the table and starts to ask."""
        try:
            _create_table(self._run, self._tables, self._name)
        except (ClientError, BotoCoreError) as error:
            self._run.reasons["recovery-ready"] = str(error)
        else:
            self._thread.start()

    def finish(self, *, seconds: float) -> None:
        """Waits for the answer, for at most so many seconds."""
        if self._thread.is_alive():
            self._run.say(f"waiting for point-in-time recovery, for at most {seconds:.0f} s more")
            self._thread.join(max(seconds, 0))
        self.stop()

    def stop(self) -> None:
        """Ends the measurement, whether it has an answer or not."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(30)

    @property
    def _name(self) -> str:
        return self._run.name("recovery")

    def _measure(self) -> None:
        try:
            reason = self._ask()
        except (ClientError, BotoCoreError, TimeExceeded) as error:
            reason = str(error)
        if reason:
            self._run.reasons["recovery-ready"] = reason

    def _ask(self) -> str:
        """Asks every two seconds; why there is no answer, "" with one."""
        _await_active(self._run, self._tables, self._name)
        began = time.monotonic()
        while not self._stop.is_set() and time.monotonic() < began + RECOVERY_SECONDS:
            asked = time.monotonic()
            code = error_code(self._switch_on)
            if not code:
                self._run.answer("recovery-ready", asked - began)
                return ""
            if code != "ContinuousBackupsUnavailableException":
                return f"UpdateContinuousBackups: {code}"
            self._stop.wait(2)
        return f"it was not available after {time.monotonic() - began:.0f} s"

    def _switch_on(self) -> None:
        self._tables.update_continuous_backups(
            TableName=self._name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def measure_recreation(run: Run) -> None:
    """A parameter and a queue, each created again right after its deletion."""
    parameters = run.client("ssm", retries=False)
    name = run.making("parameter", f"/{run.name('probe')}/value")

    def put() -> None:
        parameters.put_parameter(Name=name, Value="x", Type="String", Tags=run.tag_list)

    def put_again() -> str:
        parameters.delete_parameter(Name=name)
        return refused(put, "ParameterAlreadyExists")

    put()
    run.answer("parameter-recreation", _of_attempts(put_again))

    queues, queue = run.client("sqs", retries=False), run.making("queue", run.name("probe"))

    def create() -> str:
        return str(queues.create_queue(QueueName=queue, tags=run.tags)["QueueUrl"])

    url = create()

    def create_again() -> str:
        queues.delete_queue(QueueUrl=url)
        return refused(create, "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently")

    run.answer("queue-recreation", _of_attempts(create_again))


def _of_attempts(attempt: Callable[[], str]) -> str:
    """`refused` if one of a few attempts is: the wait may be short, as in a sandbox with shortened rules."""
    answer = "accepted"
    for _ in range(ATTEMPTS):
        answer = attempt()
        if answer != "accepted":
            break
    return answer


def measure_visibility(run: Run) -> None:
    """How long reads lag behind changes of a queue and of a log group."""
    queues, queue = run.client("sqs"), run.making("queue", run.name("visible"))
    url = queues.create_queue(QueueName=queue, tags=run.tags)["QueueUrl"]
    queues.tag_queue(QueueUrl=url, Tags={"visible": "yes"})
    queues.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "7"})

    def shows_queue() -> bool:
        try:
            tags = queues.list_queue_tags(QueueUrl=url).get("Tags", {})
            found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
        except ClientError:
            # A new queue may be unknown for a moment.
            return False
        return bool(tags.get("visible") == "yes" and found["Attributes"].get("DelaySeconds") == "7")

    run.answer("queue-tags-visible", run.until(shows_queue, seconds=90, every=0.2, what="the queue's tag"))

    logs, group = run.client("logs"), run.making("log group", run.name("visible"))
    logs.create_log_group(logGroupName=group, tags=run.tags)
    arn = run.target.location.arn("logs", f"log-group:{group}")
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    logs.tag_resource(resourceArn=arn, tags={"visible": "yes"})

    def shows_group() -> bool:
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
        return bool(found) and found[0].get("retentionInDays") == 1 and tags.get("visible") == "yes"

    run.answer("retention-visible", run.until(shows_group, seconds=90, every=0.2, what="the retention"))
