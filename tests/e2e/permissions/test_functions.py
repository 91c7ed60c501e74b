"""Each function needs every action of its role's policy: one is taken from it, and something breaks."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from nwchat.model.bans import Ban, ban_row
from nwchat.model.budget import SOCKETS_ID, address_room, sender_room, window_at
from nwchat.model.limits import Limits
from nwchat.model.log_hash import log_hash
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.desired.policies import Arns, function_policy
from nwchatctl.iam_templates import boundary_name
from tests.e2e.support.chat import SECONDS, Frame, Player, connection_row, eventually, now_ms, unique
from tests.e2e.support.operator import Operator
from tests.e2e.support.policies import document, sid_actions, without
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.slow_reader import slow_reader

POLICIES = {
    each: json.loads(function_policy(each, Arns("l", "c", "m", "s", "f", "d", "t"))) for each in FUNCTIONS
}

LARGE_ROOM = 20
"""From so many connections on a room is large."""


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    settings = {
        # The rate is not what is tested here.
        "NWCHAT_CHAT__RATE_MESSAGES": "1000",
        "NWCHAT_FANOUT__THRESHOLD": str(LARGE_ROOM - 1),
        "NWCHAT_FANOUT__TIMEOUT_SECONDS": "15",
        # The mode that has all functions.
        "NWCHAT_AUTH__MODE": "token",
    }
    made = Operator(sandbox, "e2e-roles", tmp_path_factory.mktemp("home"), **settings)
    made.deploy()
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def url(operator: Operator) -> str:
    """With a token of somebody in it."""
    return f"{operator.url}?token={operator.json('token', 'issue', '1')['token']}"


# What players do, and "" or what they see go wrong ----------------------------------------------


@contextmanager
def player(url: str) -> Iterator[Player]:
    with connect(url, proxy=None, open_timeout=SECONDS) as socket:
        yield Player(socket)


def received_until_now(player: Player) -> list[Frame]:
    """What the player got so far: the sandbox takes a socket's frames one after another, so that what the
    earlier ones caused has come before the answer to this one, which needs no function."""
    player.send({"action": "ping"})
    return player.receive_until(lambda frame: frame.get("type") == "pong")[:-1]


def connect_once(operator: Operator, url: str) -> str:
    try:
        with player(url):
            return ""
    except InvalidStatus:
        return "refused"


def authorize(operator: Operator, url: str) -> str:
    """By a new environment of the function, which has read no keys yet."""
    operator.root("lambda").update_function_configuration(
        FunctionName=operator.resource_name("authorize"), Timeout=25
    )
    token = url.partition("=")[2]
    event = {"methodArn": "arn", "queryStringParameters": {"token": token}}
    answer = operator.root("lambda").invoke(
        FunctionName=operator.resource_name("authorize"), Payload=json.dumps(event).encode()
    )
    (statement,) = json.loads(answer["Payload"].read())["policyDocument"]["Statement"]
    return "" if statement["Effect"] == "Allow" else "refused"


def send_message(operator: Operator, url: str) -> str:
    """One says something, with a key of its own; it has to be acked, and come to both."""
    text = unique()
    with player(url) as one, player(url) as other:
        # Another key each time, as it is the same player's.
        one.send({"message": text, "client_id": text})
        own, others = received_until_now(one), received_until_now(other)
    kinds = [frame["type"] for frame in own]
    if kinds == ["error"]:
        return f"error {own[0]['code']}"
    if kinds != ["message", "ack"]:
        return f"the sender got {kinds}"
    return "" if [frame["message"] for frame in others] == [text] else "the other heard nothing"


@contextmanager
def banned(operator: Operator, key: str) -> Iterator[None]:
    """Within, that ban holds."""
    table, dynamodb = operator.resource_name("messages"), operator.root("dynamodb")
    row = ban_row(Ban(key, key.partition("#")[2]))
    dynamodb.put_item(TableName=table, Item=row)
    try:
        yield
    finally:
        dynamodb.delete_item(TableName=table, Key={name: row[name] for name in ("room", "id")})


def connect_while_banned(operator: Operator, url: str) -> str:
    with banned(operator, "address#127.0.0.1"):
        return "" if connect_once(operator, url) == "refused" else "let in"


def send_while_banned(operator: Operator, url: str) -> str:
    """Banned while connected: a banned one does not come in."""
    with player(url) as one, banned(operator, "user#1"):
        one.send("hi")
        (answer,) = received_until_now(one)
    return "" if answer.get("code") == "muted" else answer["type"]


def read_history(operator: Operator, url: str) -> str:
    with player(url) as one:
        one.send({"action": "history", "limit": 5})
        (answer,) = received_until_now(one) or [{"type": "nothing"}]
    return "" if answer["type"] == "history" else f"{answer['type']} {answer['code']}"


def read_over_http(operator: Operator, url: str) -> str:
    """Somebody without a socket reads."""
    wanted = Request(f"{operator.history_url}/messages", headers=_bearer(url))
    try:
        with urlopen(wanted, timeout=SECONDS) as answer:
            return "" if answer.status == 200 else str(answer.status)
    except HTTPError as error:
        with error:
            return f"{error.code} {json.loads(error.read())['code']}"


def read_over_http_while_banned(operator: Operator, url: str) -> str:
    with banned(operator, "user#1"):
        return "" if read_over_http(operator, url) == "403 muted" else "let in"


def read_in_new_environment(operator: Operator, url: str) -> str:
    """By a new environment of the function, which has read no keys yet."""
    client, name = operator.root("lambda"), operator.resource_name("history")
    client.update_function_configuration(FunctionName=name, Timeout=25)
    event = {"routeKey": "GET /messages", "headers": _bearer(url)}
    answer = json.loads(
        client.invoke(FunctionName=name, Payload=json.dumps(event).encode())["Payload"].read()
    )
    return (
        "" if answer["statusCode"] == 200 else f"{answer['statusCode']} {json.loads(answer['body'])['code']}"
    )


def _bearer(url: str) -> dict[str, str]:
    return {"authorization": f"Bearer {url.partition('token=')[2]}"}


def send_with_stale_row(operator: Operator, url: str) -> str:
    """Whose socket is gone is forgotten by the message that finds it gone."""
    table, dynamodb = operator.resource_name("connections"), operator.root("dynamodb")
    wanted = {"TableName": table, "Key": {"connection_id": {"S": "stale"}}}
    dynamodb.put_item(TableName=table, Item=connection_row("stale"))
    with player(url) as one:
        one.send("anybody?")
        received_until_now(one)
    stays = "Item" in dynamodb.get_item(**wanted)
    dynamodb.delete_item(**wanted)
    return "the row stays" if stays else ""


def disconnect(operator: Operator, url: str) -> str:
    """The function's own answer to API Gateway's event is waited for, which a closed socket cannot tell."""
    table, dynamodb = operator.resource_name("connections"), operator.root("dynamodb")
    dynamodb.put_item(TableName=table, Item=connection_row("leaving"))
    event = {
        "requestContext": {"eventType": "DISCONNECT", "connectionId": "leaving", "disconnectStatusCode": 1001}
    }
    answer = operator.root("lambda").invoke(
        FunctionName=operator.resource_name("disconnect"),
        Qualifier="live",
        Payload=json.dumps(event).encode(),
    )
    status = json.loads(answer["Payload"].read())["statusCode"]
    wanted = {"TableName": table, "Key": {"connection_id": {"S": "leaving"}}}
    stays = "Item" in dynamodb.get_item(**wanted)
    dynamodb.delete_item(**wanted)
    return f"{status}, the row stays" if stays else ""


def open_and_close(operator: Operator, url: str) -> str:
    """What the functions' own events leave in the row of the address."""
    caller = {"connectionId": "budget", "connectedAt": now_ms(), "identity": {"sourceIp": "203.0.113.7"}}
    token = {"authorizer": {"sender_id": "1"}}
    key = {"room": {"S": address_room(caller)}, "id": {"S": SOCKETS_ID}}
    where = {"TableName": operator.resource_name("messages"), "Key": key}
    counted = []
    for function in ("connect", "disconnect"):
        run(operator, function, {"requestContext": {**caller, **token}}, Qualifier="live")
        row = operator.root("dynamodb").get_item(**where).get("Item", {})
        counted.append(len(row.get("entries", {}).get("SS", [])))
    operator.root("dynamodb").delete_item(**where)
    remove_stale_rows(operator, ["budget"])
    return "" if counted == [1, 0] else f"{counted[0]}, then {counted[1]}"


def spend(operator: Operator, function: str, event: Frame) -> str:
    """What the function writes into the budget of the sender with id "1"."""
    table, dynamodb = operator.resource_name("messages"), operator.root("dynamodb")
    _, log_tail = run(operator, function, event, Qualifier="live")
    rows = dynamodb.query(
        TableName=table,
        KeyConditionExpression="room = :room",
        ExpressionAttributeValues={":room": {"S": sender_room({"authorizer": {"sender_id": "1"}})}},
    )["Items"]
    for row in rows:
        dynamodb.delete_item(TableName=table, Key={name: row[name] for name in ("room", "id")})
    if "the budget cannot be counted" in log_tail:
        return "not counted"
    return "" if rows else "nothing is counted"


def spend_by_message(operator: Operator, url: str) -> str:
    return spend(operator, "message", {"requestContext": {"authorizer": {"sender_id": "1"}}, "body": "hi"})


def spend_over_http(operator: Operator, url: str) -> str:
    return spend(operator, "history", {"routeKey": "GET /messages", "headers": _bearer(url)})


def flood(operator: Operator, url: str) -> str:
    """A socket whose frames were refused before, so many times that the next one closes it."""
    table, dynamodb = operator.resource_name("connections"), operator.root("dynamodb")
    spent = {"room": {"S": sender_room({"authorizer": {"sender_id": "1"}})}}
    limits = Limits(rate_seconds=10)
    # Sockets of earlier tests may not have been disconnected yet.
    before = set(open_connections(operator))
    with player(url) as one:
        (connection_id,) = set(open_connections(operator)) - before
        # Both rows for this window and the next.
        windows = [window_at(now_ms() + ahead, limits).id for ahead in (0, 10_000)]
        for window in windows:
            row = {**spent, "id": {"S": window}, "spent": {"N": "10000000"}}
            dynamodb.put_item(TableName=operator.resource_name("messages"), Item=row)
        dynamodb.delete_item(TableName=table, Key={"connection_id": {"S": connection_id}})
        one.send('{"action": "history"}')
        try:
            # What the emulator has read before the socket is closed is answered.
            for _ in range(5):
                received_until_now(one)
            result = "still open"
        except ConnectionClosed:
            result = ""
    for window in windows:
        dynamodb.delete_item(TableName=operator.resource_name("messages"), Key={**spent, "id": {"S": window}})
    return result


def add_stale_rows(operator: Operator, count: int, age_ms: int = 60_000) -> list[str]:
    """So many rows whose sockets are gone; their names."""
    names = [f"player-{each:02}" for each in range(count)]
    for each in names:
        operator.root("dynamodb").put_item(
            TableName=operator.resource_name("connections"), Item=connection_row(each, age_ms=age_ms)
        )
    return names


def remove_stale_rows(operator: Operator, names: list[str]) -> int:
    """Removes the rows; how many there were left. The row of a socket that just closed, whose end the
    gateway has still to tell, is none of them."""
    table, dynamodb = operator.resource_name("connections"), operator.root("dynamodb")
    gone = [
        dynamodb.delete_item(TableName=table, Key={"connection_id": {"S": each}}, ReturnValues="ALL_OLD")
        for each in names
    ]
    return len([each for each in gone if each.get("Attributes")])


def run(operator: Operator, function: str, event: Frame, **options: str) -> tuple[str, str]:
    """Runs a function and waits for its end: what went wrong, and its log's tail."""
    answer = operator.root("lambda").invoke(
        FunctionName=operator.resource_name(function),
        LogType="Tail",
        Payload=json.dumps(event).encode(),
        **options,
    )
    log_tail = b64decode(answer.get("LogResult", "")).decode()
    return "it failed" if answer.get("FunctionError") else "", log_tail


def segment(**wanted: object) -> Frame:
    """The whole room as one segment."""
    return {"frame": "{}", "message_id": "m", "segment": 0, "segments": 1, "rate": 1000, **wanted}


def fan_out(operator: Operator, url: str) -> str:
    names = add_stale_rows(operator, 2)
    failed, _ = run(operator, "fanout", segment(), Qualifier="live")
    left = remove_stale_rows(operator, names)
    return failed or ("the rows stay" if left else "")


def fan_out_with_a_report(operator: Operator, url: str) -> str:
    table, dynamodb = operator.resource_name("messages"), operator.root("dynamodb")
    key = {"room": {"S": "sent#x"}, "id": {"S": "-"}}
    dynamodb.put_item(TableName=table, Item=key)
    failed, _ = run(operator, "fanout", segment(report="sent#x"), Qualifier="live")
    row = dynamodb.get_item(TableName=table, Key=key)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)
    return failed or ("" if "seg_0_0" in row else "nothing is reported")


def fan_out_past_timeout(operator: Operator, url: str) -> str:
    """At two posts a second a run of 15 seconds does not come to the end."""
    names = add_stale_rows(operator, 60)
    failed, _ = run(operator, "fanout", segment(rate=2), Qualifier="live")
    remove_stale_rows(operator, names)
    return failed


def fan_out_to_slow_reader(operator: Operator, url: str) -> str:
    names = add_stale_rows(operator, 2)
    with slow_reader(operator.sandbox, url, lambda: open_connections(operator)) as reader:
        failed, _ = run(operator, "fanout", segment(), Qualifier="live")
        stays = reader.is_open()
    remove_stale_rows(operator, names)
    return failed or ("it stays connected" if stays else "")


def open_connections(operator: Operator) -> list[str]:
    rows = operator.root("dynamodb").scan(TableName=operator.resource_name("connections"))["Items"]
    return [row["connection_id"]["S"] for row in rows]


def set_failure_destination(operator: Operator, url: str) -> str:
    """Lambda itself looks whether the role may, when it is told where failed events go."""
    client, where = (
        operator.root("lambda"),
        {"FunctionName": operator.resource_name("fanout"), "Qualifier": "live"},
    )
    destination = client.get_function_event_invoke_config(**where)["DestinationConfig"]
    try:
        client.put_function_event_invoke_config(
            **where, DestinationConfig=destination, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=3600
        )
    except client.exceptions.InvalidParameterValueException:
        return "refused"
    return ""


def send_to_large_room(operator: Operator, url: str) -> str:
    """Without a sender, by a new environment of the function, which knows no size yet."""
    client, name = operator.root("lambda"), operator.resource_name("message")
    # An update ends the environment, whatever it changes.
    client.update_function_configuration(FunctionName=name, Timeout=25)
    # Nobody forgets the young: not the segments of the run before this one either.
    names = add_stale_rows(operator, LARGE_ROOM, age_ms=-60_000)
    failed, log_tail = run(
        operator, "message", {"requestContext": {"authorizer": {"sender_id": "1"}}, "body": "hi"}
    )
    remove_stale_rows(operator, names)
    for line in ("sent from here", "the table's size is not known"):
        failed = failed or (line if line in log_tail else "")
    return failed or ("" if "handed over" in log_tail else "nothing is handed over")


def hash_banned_client(operator: Operator, function: str, event: Frame) -> str:
    """By a new environment of the function, which has not read the key of hashes yet: the hash in its log
    must be the one that the operator can compute."""
    client, name = operator.root("lambda"), operator.resource_name(function)
    client.update_function_configuration(FunctionName=name, Timeout=25)
    table = operator.root("dynamodb").describe_table(TableName=operator.resource_name("connections"))
    with banned(operator, "user#1"):
        failed, log_tail = run(operator, function, event)
    expected = log_hash(table["Table"]["TableId"].encode(), "user#1")
    lines = [json.loads(each) for each in log_tail.splitlines() if each.startswith("{")]
    hashes = [each["ban"] for each in lines if each["message"] == "banned"]
    return failed or ("" if hashes == [expected] else "another hash")


def connect_for_hash(operator: Operator, url: str) -> str:
    request = {"connectionId": "c", "authorizer": {"sender_id": "1", "uname": "tom"}}
    return hash_banned_client(operator, "connect", {"requestContext": request})


def read_for_hash(operator: Operator, url: str) -> str:
    return hash_banned_client(
        operator, "history", {"routeKey": "GET /messages", "headers": _bearer(url), "requestContext": {}}
    )


def write_log(function: str, operator: Operator, url: str) -> str:
    """Lambda writes the log with the function's role, whatever becomes of the event."""
    client, logs = operator.root("lambda"), operator.root("logs")
    group = operator.log_group(function)
    for each in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        logs.delete_log_stream(logGroupName=group, logStreamName=each["logStreamName"])
    client.invoke(FunctionName=operator.resource_name(function), Payload=b"{}")["Payload"].read()
    return "" if logs.describe_log_streams(logGroupName=group)["logStreams"] else "no log"


Action = Callable[[Operator, str], str]

NEEDS: dict[tuple[str, str, str], tuple[Action, str]] = {
    ("authorize", "TokenKeys", "ssm:GetParameter"): (authorize, "refused"),
    ("connect", "Bans", "dynamodb:BatchGetItem"): (connect_while_banned, "let in"),
    ("connect", "Connections", "dynamodb:DescribeTable"): (connect_for_hash, "another hash"),
    ("connect", "Budgets", "dynamodb:UpdateItem"): (open_and_close, "0, then 0"),
    ("connect", "Connections", "dynamodb:PutItem"): (connect_once, "refused"),
    ("disconnect", "Budgets", "dynamodb:UpdateItem"): (open_and_close, "1, then 1"),
    ("disconnect", "Connections", "dynamodb:DeleteItem"): (disconnect, "500, the row stays"),
    ("fanout", "Connections", "dynamodb:DeleteItem"): (fan_out, "the rows stay"),
    ("fanout", "Connections", "dynamodb:Scan"): (fan_out, "it failed"),
    ("fanout", "DeadLetters", "sqs:SendMessage"): (set_failure_destination, "refused"),
    ("fanout", "Fanout", "lambda:InvokeFunction"): (fan_out_past_timeout, "it failed"),
    ("fanout", "Messages", "dynamodb:UpdateItem"): (fan_out_with_a_report, "nothing is reported"),
    ("fanout", "Close", "execute-api:ManageConnections"): (
        fan_out_to_slow_reader,
        "it stays connected",
    ),
    ("fanout", "Sockets", "execute-api:ManageConnections"): (fan_out, "it failed"),
    ("history", "Bans", "dynamodb:BatchGetItem"): (read_over_http_while_banned, "let in"),
    ("history", "LogHashes", "dynamodb:DescribeTable"): (read_for_hash, "another hash"),
    ("history", "Budgets", "dynamodb:UpdateItem"): (spend_over_http, "not counted"),
    ("history", "History", "dynamodb:Query"): (read_over_http, "500 internal"),
    ("history", "TokenKeys", "ssm:GetParameter"): (read_in_new_environment, "401 unauthorized"),
    ("message", "Bans", "dynamodb:BatchGetItem"): (send_while_banned, "message"),
    ("message", "Budgets", "dynamodb:UpdateItem"): (spend_by_message, "not counted"),
    ("message", "Close", "execute-api:ManageConnections"): (flood, "still open"),
    ("message", "Connections", "dynamodb:DescribeTable"): (
        send_to_large_room,
        "the table's size is not known",
    ),
    ("message", "Fanout", "lambda:InvokeFunction"): (send_to_large_room, "sent from here"),
    ("message", "Connections", "dynamodb:DeleteItem"): (send_with_stale_row, "the row stays"),
    ("message", "Connections", "dynamodb:Scan"): (send_message, "the sender got ['message', 'error']"),
    ("message", "Connections", "dynamodb:UpdateItem"): (send_message, "error internal"),
    ("message", "Messages", "dynamodb:PutItem"): (send_message, "error internal"),
    ("message", "History", "dynamodb:Query"): (read_history, "error internal"),
    ("message", "Sockets", "execute-api:ManageConnections"): (send_message, "the sender got []"),
    **{
        (function, "Logs", action): (partial(write_log, function), "no log")
        for function in FUNCTIONS
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    },
}

BOUNDARY = document("boundary", "*")

BOUNDARY_NEEDS: dict[tuple[str, str], tuple[Action, str]] = {
    ("Tables", "dynamodb:BatchGetItem"): (connect_while_banned, "let in"),
    ("Tables", "dynamodb:DeleteItem"): (disconnect, "500, the row stays"),
    ("Tables", "dynamodb:DescribeTable"): (connect_for_hash, "another hash"),
    ("Tables", "dynamodb:PutItem"): (connect_once, "refused"),
    ("Tables", "dynamodb:Query"): (read_history, "error internal"),
    ("Tables", "dynamodb:Scan"): (fan_out, "it failed"),
    ("Tables", "dynamodb:UpdateItem"): (fan_out_with_a_report, "nothing is reported"),
    ("Sockets", "execute-api:ManageConnections"): (send_message, "the sender got []"),
    ("Functions", "lambda:InvokeFunction"): (send_to_large_room, "sent from here"),
    ("TokenKeys", "ssm:GetParameter"): (authorize, "refused"),
    ("TokenKeysDecrypted", "kms:Decrypt"): (authorize, "refused"),
    ("Logs", "logs:CreateLogStream"): (partial(write_log, "message"), "no log"),
    ("Logs", "logs:PutLogEvents"): (partial(write_log, "message"), "no log"),
    ("DeadLetters", "sqs:SendMessage"): (set_failure_destination, "refused"),
}
"""What breaks without an action of the permissions boundary, although the roles' policies have it."""


def test_every_action_is_tested() -> None:
    every = {(name, *pair) for name, policy in POLICIES.items() for pair in sid_actions(policy)}
    assert NEEDS.keys() == every
    # A VPC's permissions are tested where functions have one: tests/e2e/deploy/test_networks.py.
    assert BOUNDARY_NEEDS.keys() == {pair for pair in sid_actions(BOUNDARY) if pair[0] != "Network"}


@pytest.mark.parametrize(("function", "sid", "action"), NEEDS, ids=lambda text: text)
def test_missing_action_breaks_the_function(
    operator: Operator, url: str, function: str, sid: str, action: str
) -> None:
    act, broken = NEEDS[function, sid, action]
    iam, role = operator.root("iam"), operator.role_name(function)
    original = iam.get_role_policy(RoleName=role, PolicyName="nwchat")["PolicyDocument"]

    def set_policy(policy: object) -> None:
        iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=json.dumps(policy))

    assert act(operator, url) == ""
    set_policy(without(original, sid, action))
    try:
        result = act(operator, url)
    finally:
        set_policy(original)
    assert result == broken
    assert act(operator, url) == ""


@pytest.mark.parametrize(
    ("function", "sid", "act", "result"),
    [
        ("connect", "Bans", connect_while_banned, "let in"),
        ("fanout", "Messages", fan_out_with_a_report, "nothing is reported"),
        ("history", "History", read_over_http, "500 internal"),
        ("message", "History", read_history, "error internal"),
        ("message", "Messages", send_message, "error internal"),
    ],
)
def test_each_row_is_reached_by_its_room_alone(
    operator: Operator, url: str, function: str, sid: str, act: Action, result: str
) -> None:
    """What the function needs is denied where its role's rooms are others, or where the key is said to be
    absent, as in a scan."""
    iam, role = operator.root("iam"), operator.role_name(function)
    original = iam.get_role_policy(RoleName=role, PolicyName="nwchat")["PolicyDocument"]
    (found,) = (each for each in original["Statement"] if each["Sid"] == sid)
    rooms = found["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    for condition in (
        {**found["Condition"], "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["elsewhere"]}},
        {**found["Condition"], "Null": {"dynamodb:LeadingKeys": "true"}},
    ):
        statements = [each for each in original["Statement"] if each["Sid"] != sid]
        changed = {**original, "Statement": [*statements, {**found, "Condition": condition}]}
        iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=json.dumps(changed))
        try:
            assert act(operator, url) == result, (rooms, condition)
        finally:
            iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=json.dumps(original))


@pytest.mark.parametrize(("room", "result"), [("bans", ""), ("main", "let in"), ("ban", "let in")])
def test_connect_may_read_only_the_room_of_bans(operator: Operator, url: str, room: str, result: str) -> None:
    iam, role = operator.root("iam"), operator.role_name("connect")
    original = iam.get_role_policy(RoleName=role, PolicyName="nwchat")["PolicyDocument"]
    text = json.dumps(original)
    other = text.replace('"dynamodb:LeadingKeys": ["bans"]', f'"dynamodb:LeadingKeys": ["{room}"]')
    assert (other == text) is (room == "bans")
    iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=other)
    try:
        assert connect_while_banned(operator, url) == result
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=text)


def test_closed_socket_deletes_its_row(operator: Operator, url: str) -> None:
    """By the socket's own end, as `leave` above cannot show it."""
    table, dynamodb = operator.resource_name("connections"), operator.root("dynamodb")

    def rows() -> int:
        return int(dynamodb.scan(TableName=table)["Count"])

    eventually(rows, 0)
    with player(url):
        assert rows() == 1
    eventually(rows, 0)


@pytest.mark.parametrize(("sid", "action"), BOUNDARY_NEEDS, ids=lambda text: text)
def test_action_missing_from_the_boundary_breaks_a_function(
    operator: Operator, url: str, sid: str, action: str
) -> None:
    act, broken = BOUNDARY_NEEDS[sid, action]
    with operator.allowed(without(BOUNDARY, sid, action), boundary_name("*")):
        assert act(operator, url) == broken
    assert act(operator, url) == ""


def test_functions_work_without_the_permission_to_log(operator: Operator, url: str) -> None:
    iam = operator.root("iam")
    for function in FUNCTIONS:
        role = operator.role_name(function)
        policy = iam.get_role_policy(RoleName=role, PolicyName="nwchat")["PolicyDocument"]
        kept = [each for each in policy["Statement"] if each["Sid"] != "Logs"]
        iam.put_role_policy(
            RoleName=role, PolicyName="nwchat", PolicyDocument=json.dumps({**policy, "Statement": kept})
        )
    try:
        assert {
            act(operator, url)
            for act in (connect_once, send_message, read_history, send_with_stale_row, disconnect)
        } == {""}
        answer = operator.json("invoke", "disconnect")
        assert "an event without a connection id" in answer["log"]
    finally:
        operator.deploy()
