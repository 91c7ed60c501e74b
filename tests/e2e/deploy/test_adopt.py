"""A chat that was made by hand is taken over while people talk in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from nwchatctl.context import App
from tests.e2e.support.chat import Frame, Player, eventually, unique
from tests.e2e.support.legacy_chat import LegacyChat
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

MADE = {
    ("create", "table"): 3,
    ("create", "recovery"): 2,
    ("create", "release"): 1,
    ("create", "log-group"): 5,
    ("create", "queue"): 1,
    ("create", "async-invoke"): 1,
    ("create", "role"): 5,
    ("create", "function"): 5,
    ("create", "alias"): 5,
    ("create", "permission"): 7,
    ("create", "history-api"): 1,
    ("create", "integration"): 4,
    ("create", "route"): 1,
    ("create", "deployment"): 1,
    ("update", "api"): 1,
    ("update", "route"): 4,
    ("update", "stage"): 1,
    ("delete", "integration"): 3,
    ("delete", "route"): 1,
}


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    # Rates for somebody who talks all the time.
    home = tmp_path_factory.mktemp("home")
    return Operator(sandbox, "e2e-adopt", home, NWCHAT_CHAT__RATE_MESSAGES="1000")


@pytest.fixture(scope="module")
def legacy_chat(operator: Operator) -> Iterator[LegacyChat]:
    made = LegacyChat(operator).make()
    yield made
    operator.destroy()
    made.remove()


class MessageLoop:
    """Says something new all the time, one message at once, and notes what came back for each."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.sent: list[str] = []
        self.frames: list[Frame] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_messages)

    def __enter__(self) -> MessageLoop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send_messages(self) -> None:
        while not self._stop.is_set():
            self.sent.append(unique("on and on"))
            self.player.send({"message": self.sent[-1], "uname": "talker", "sender_id": "7"})
            self.frames += self.player.receive_until(lambda frame: frame.get("message") == self.sent[-1])


def test_open_socket_keeps_working_during_adoption(operator: Operator, legacy_chat: LegacyChat) -> None:
    with legacy_chat.player() as sender, legacy_chat.player() as listener, legacy_chat.player() as mute:
        url = legacy_chat.url
        assert len(legacy_chat.rows) == 3
        with MessageLoop(sender) as message_loop:
            eventually(lambda: len(message_loop.sent) > 2, True)
            ran = operator.run("adopt", "--api-id", legacy_chat.api_id, "--yes", "--json")
            assert (ran.code, ran.error and ran.error.message) == (0, None)
            here = len(message_loop.sent)
            eventually(lambda: len(message_loop.sent) > here + 2, True)

        changes = ran.data["changes"]
        kinds = [(each["action"], each["kind"]) for each in changes]
        assert {kind: kinds.count(kind) for kind in kinds} == MADE
        assert ran.data["applied"] == len(changes) == 52
        assert ran.data["rows"] == {"found": 3, "copied": 3, "present": 0, "expired": 0, "unusable": 0}
        assert ran.data["endpoints"]["websocket"] == url == operator.url
        assert (operator.api_id, ran.data["api_id"]) == (legacy_chat.api_id, legacy_chat.api_id)

        # Whoever talked has heard each message once, in order, and nothing else.
        assert [frame.get("message") for frame in message_loop.frames] == message_loop.sent
        assert "type" not in message_loop.frames[0]
        assert message_loop.frames[-1]["type"] == "message"
        # Whoever only listened, too.
        received = listener.receive_until(lambda frame: frame.get("message") == message_loop.sent[-1])
        assert [frame.get("message") for frame in received] == message_loop.sent

        rows = operator.json("connections", "list")["connections"]
        assert {each["connection_id"] for each in rows} == {
            row["connectionid"]["S"] for row in legacy_chat.rows
        }
        text = unique("hear, hear")
        sent = operator.json("broadcast", text)
        assert (sent["recipients"], sent["delivered"], sent["failed"]) == (3, 3, 0)
        for each in (sender, listener, mute):
            assert each.receive_text(text)["type"] == "announcement"
        mute.send({"action": "ping"})
        assert mute.receive_type("pong") == {"type": "pong"}


def test_adopted_chat_works_as_any_other(operator: Operator, legacy_chat: LegacyChat) -> None:
    assert operator.plan() == []
    assert operator.deploy()["applied"] == 0
    assert operator.json("status", "--check")["drift"] == []
    assert [each["name"] for each in operator.json("smoke")["steps"] if not each["ok"]] == []
    assert legacy_chat.served != legacy_chat.deployment


def test_legacy_resources_are_tagged_listed_and_kept(operator: Operator, legacy_chat: LegacyChat) -> None:
    client = operator.root("lambda")
    tags = {"nwchat:adopted-by": "e2e-adopt"}
    for name in legacy_chat.functions:
        assert client.list_tags(Resource=operator.arn("lambda", f"function:{name}"))["Tags"] == tags
    arn = operator.arn("dynamodb", "table/chat")
    marked = operator.root("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert {each["Key"]: each["Value"] for each in marked} == tags
    # A way back: it bears a name of ours, so that it is kept as our own deployments are.
    kept = operator.api.get_deployment(ApiId=legacy_chat.api_id, DeploymentId=legacy_chat.deployment)
    assert kept["Description"] == f"nwchatctl:adopted-{legacy_chat.deployment}"

    lines = operator.run("adopt", "--api-id", legacy_chat.api_id).out.splitlines()
    assert lines[0] == "nothing to do: the chat is adopted, and as configured"
    assert lines[2:] == [
        "left: table chat; to remove it: aws dynamodb delete-table --table-name chat --region us-east-2",
        *(
            f"left: function {name}; to remove it: "
            f"aws lambda delete-function --function-name {name} --region us-east-2"
            for name in legacy_chat.functions
        ),
        f"the way back: aws apigatewayv2 update-stage --api-id {legacy_chat.api_id} --stage-name production "
        f"--deployment-id {legacy_chat.deployment} --region us-east-2",
    ]


def test_second_adoption_only_reads_rows(operator: Operator, legacy_chat: LegacyChat) -> None:
    ran = operator.run("adopt", "--api-id", legacy_chat.api_id, "--json")
    assert (ran.code, ran.data["changes"], ran.data["applied"]) == (0, [], 0)
    assert set(ran.resource_writes) <= {"PutItem", "Scan"}
    with legacy_chat.player() as player:
        (row,) = operator.json("connections", "list")["connections"][-1:]
        # Somebody whom the old function let in last, and of whom only the old table knows.
        legacy_chat.put({"connectionid": {"S": row["connection_id"]}})
        operator.root("dynamodb").delete_item(
            TableName=operator.resource_name("connections"),
            Key={"connection_id": {"S": row["connection_id"]}},
        )
        again = operator.json("adopt", "--api-id", legacy_chat.api_id)
        assert again["rows"]["copied"] >= 1
        text = unique()
        operator.json("broadcast", text)
        player.receive_text(text)


def test_rows_older_than_two_hours_are_ignored(
    operator: Operator, legacy_chat: LegacyChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the stage has served our functions for longer than a socket can be open."""
    legacy_chat.put({"connectionid": {"S": "long-gone"}})
    now_ms = App().local_ms()
    monkeypatch.setattr(App, "now_ms", lambda app: now_ms + 8_100_000 + 60_000)
    ran = operator.run("adopt", "--api-id", legacy_chat.api_id)
    assert ran.code == 0
    assert ran.out.splitlines()[1] == (
        "table chat: every socket in it is closed by now, so no row was looked at"
    )
    assert ran.writes == []
