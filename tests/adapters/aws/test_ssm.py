"""The parameter of the token keys, in Parameter Store's own spelling, and authorizers in API Gateway's."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from botocore.stub import ANY

from nwchat.auth.token_keys import TokenKey, read_keys, write_keys
from nwchatctl.aws.apigateway.authorizers import Authorizers
from nwchatctl.aws.ssm import KeyParameters
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.websocket import Authorizer
from nwchatctl.deploy.signing_keys import dropped_keys, drops_tokens, new_key, rotate
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import TAGS, Desk

pytestmark = pytest.mark.usefixtures("no_waiting")

NAME = "/nwchat-x/token-keys"
WANTED = TokenKeys(NAME, "SecureString", TAGS)
KEYS = (TokenKey("new", "n" * 43, 2000), TokenKey("old", "o" * 43, 1000))
LISTED = [{"Key": key, "Value": value} for key, value in TAGS]


def there(stub: Any, kind: str = "SecureString", tags: Any = None) -> None:
    stub.add_response(
        "get_parameter",
        {"Parameter": {"Type": kind, "Value": "AQ=="}},
        {"Name": NAME, "WithDecryption": False},
    )
    stub.add_response(
        "list_tags_for_resource",
        {"TagList": LISTED if tags is None else tags},
        {"ResourceType": "Parameter", "ResourceId": NAME},
    )


def test_it_is_read_without_what_is_in_it(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    there(stub)
    assert KeyParameters(client, lambda: 0).read(NAME) == WANTED
    stub.add_client_error("get_parameter", "ParameterNotFound")
    assert KeyParameters(client, lambda: 0).read(NAME) is None


def test_it_is_made_with_its_tags_and_a_key_of_256_bits(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    sent: list[Any] = []
    client.meta.events.register(
        "provide-client-params.ssm.PutParameter", lambda params, **_: sent.append(params)
    )
    stub.add_response(
        "put_parameter",
        {"Version": 1},
        {"Name": NAME, "Description": ANY, "Value": ANY, "Type": "SecureString", "Tags": LISTED},
    )
    KeyParameters(client, lambda: 1_700_000_000_123).create(WANTED)
    (key,) = read_keys(sent[0]["Value"])
    assert (len(key.key), key.created_at) == (43, 1_700_000_000)


def test_one_that_is_there_keeps_its_keys(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_client_error("put_parameter", "ParameterAlreadyExists")
    there(stub)
    KeyParameters(client, lambda: 0).create(WANTED)


def test_somebody_elses_is_left_alone(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_client_error("put_parameter", "ParameterAlreadyExists")
    there(stub, tags=[])
    with pytest.raises(ChatError) as raised:
        KeyParameters(client, lambda: 0).create(WANTED)
    assert raised.value.code == "not_ours"


def test_one_that_was_not_encrypted_is_made_anew(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_response("delete_parameter", {}, {"Name": NAME})
    stub.add_response("put_parameter", {"Version": 1})
    KeyParameters(client, lambda: 0).update(dataclasses.replace(WANTED, type="String"), WANTED)


def test_what_differs_of_the_tags_is_changed(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    where = {"ResourceType": "Parameter", "ResourceId": NAME}
    stub.add_response("add_tags_to_resource", {}, {**where, "Tags": LISTED})
    stub.add_response("remove_tags_from_resource", {}, {**where, "TagKeys": ["by"]})
    KeyParameters(client, lambda: 0).update(dataclasses.replace(WANTED, tags=(("by", "hand"),)), WANTED)


def test_keys_are_put_in_the_place_of_keys(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_response(
        "put_parameter", {"Version": 2}, {"Name": NAME, "Value": write_keys(KEYS), "Overwrite": True}
    )
    assert KeyParameters(client, lambda: 0).put(NAME, KEYS) == 2
    says = {"Parameter": {"Value": write_keys(KEYS), "Version": 2}}
    stub.add_response("get_parameter", says, {"Name": NAME, "WithDecryption": True})
    assert KeyParameters(client, lambda: 0).read_stored(NAME) == (KEYS, 2)
    stub.add_response("get_parameter", says, {"Name": NAME, "WithDecryption": True})
    assert KeyParameters(client, lambda: 0).keys(NAME) == KEYS


def test_what_is_no_key_is_not_repeated(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_response("get_parameter", {"Parameter": {"Value": json.dumps({"keys": [{"key": "hush"}]})}})
    with pytest.raises(ChatError) as raised:
        KeyParameters(client, lambda: 0).keys(NAME)
    assert raised.value.code == "token_keys_unreadable"
    assert "hush" not in raised.value.message + raised.value.hint
    assert raised.value.__cause__ is None


def test_gone_already_is_fine(desk: Desk) -> None:
    client, stub = desk.client("ssm")
    stub.add_client_error("delete_parameter", "ParameterNotFound")
    KeyParameters(client, lambda: 0).delete(WANTED)


def test_two_keys_count_and_which_end() -> None:
    made = new_key(3000, lambda count: b"\xff" * count)
    assert (made.kid, made.key, made.created_at) == ("_" * 8, "_" * 42 + "8", 3000)
    assert rotate(KEYS[:1], made) == (made, KEYS[0])
    assert rotate(KEYS, made) == (made, KEYS[0])
    assert (dropped_keys(KEYS[:1]), dropped_keys(KEYS)) == ((), (KEYS[1],))
    # What the old one has signed is good for a day, from when it ceased to sign.
    assert drops_tokens(KEYS, 2000 + 86_399)
    assert not drops_tokens(KEYS, 2000 + 86_400)
    assert not drops_tokens(KEYS[:1], 2001)


# Authorizers ------------------------------------------------------------------------------------

ASKS = Authorizer("authorize", "REQUEST", "arn:uri", ("route.request.header.Host",))
SAID = {
    "ApiId": "x",
    "Name": "authorize",
    "AuthorizerType": "REQUEST",
    "AuthorizerUri": "arn:uri",
    "IdentitySource": ["route.request.header.Host"],
}


def read(name: str, identity: str) -> dict[str, Any]:
    return {
        "AuthorizerId": identity,
        "Name": name,
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": "arn:uri",
        "IdentitySource": ["route.request.header.Host"],
    }


def test_authorizers_as_they_are_read_two_of_a_name_too(desk: Desk) -> None:
    client, stub = desk.client("apigatewayv2")
    stub.add_response("get_authorizers", {"Items": [read("authorize", "a1"), read("authorize", "a2")]})
    ids: dict[str, str] = {}
    found = Authorizers(client, lambda: client, "x", ids).read()
    assert found == [ASKS, dataclasses.replace(ASKS, name="a2")]
    assert ids == {"authorize": "a1", "a2": "a2"}


def test_one_whose_answer_was_lost_is_not_made_twice(desk: Desk) -> None:
    client, stub = desk.client("apigatewayv2")
    stub.add_client_error("create_authorizer", "ServiceUnavailable", http_status_code=503)
    stub.add_response("get_authorizers", {"Items": [read("authorize", "a1")]})
    stub.add_response("update_authorizer", {}, {**SAID, "AuthorizerId": "a1"})
    ids: dict[str, str] = {}
    Authorizers(client, lambda: client, "x", ids).put(ASKS)
    assert ids == {"authorize": "a1"}


def test_a_role_that_was_set_by_hand_is_taken_off(desk: Desk) -> None:
    client, stub = desk.client("apigatewayv2")
    said = {**SAID, "AuthorizerId": "a1", "AuthorizerCredentialsArn": ""}
    stub.add_response("update_authorizer", {}, said)
    lent = dataclasses.replace(ASKS, credentials="arn:role")
    Authorizers(client, lambda: client, "x", {"authorize": "a1"}).put(ASKS, lent)


def test_an_authorizer_that_is_gone_already_is_fine(desk: Desk) -> None:
    client, stub = desk.client("apigatewayv2")
    stub.add_client_error("delete_authorizer", "NotFoundException")
    Authorizers(client, lambda: client, "x", {"authorize": "a1"}).delete(ASKS)
