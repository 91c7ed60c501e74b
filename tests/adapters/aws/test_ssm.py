"""The parameter of the token keys, in Parameter Store's own spelling, and authorizers in API Gateway's."""

from __future__ import annotations

import dataclasses
import json
import traceback
from typing import Any

import pytest
from botocore.stub import ANY

from nwchat.auth.token_keys import TokenKey, read_keys, write_keys
from nwchatctl.aws import ssm
from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.apigateway.authorizers import Authorizers
from nwchatctl.aws.ssm import KeyParameters
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.websocket import Authorizer
from nwchatctl.deploy.signing_keys import dropped_keys, drops_tokens, new_key, rotate
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import TAGS, StubbedClients

pytestmark = pytest.mark.usefixtures("no_waiting")

NAME = "/nwchat-x/token-keys"
WANTED = TokenKeys(NAME, "SecureString", TAGS)
KEYS = (TokenKey("new", "n" * 43, 2000), TokenKey("old", "o" * 43, 1000))
LISTED = [{"Key": key, "Value": value} for key, value in TAGS]


def existing(stub: Any, kind: str = "SecureString", tags: Any = None) -> None:
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


def test_parameter_is_read_without_its_value(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    existing(stub)
    assert KeyParameters(client, lambda: 0).read(NAME) == WANTED
    stub.add_client_error("get_parameter", "ParameterNotFound")
    assert KeyParameters(client, lambda: 0).read(NAME) is None


@pytest.mark.parametrize("act", ["create", "put"])
def test_refused_value_is_in_no_error(clients: StubbedClients, act: str) -> None:
    client, stub = clients.client("ssm")
    said = (
        f"1 validation error detected: Value '{write_keys(KEYS)}' at 'value' failed to satisfy a constraint"
    )
    stub.add_client_error("put_parameter", "ValidationException", said)
    parameters = KeyParameters(client, lambda: 0)
    with pytest.raises(ChatError) as caught:
        parameters.create(WANTED) if act == "create" else parameters.put(NAME, KEYS)
    assert caught.value.code == "validation"
    assert "nnn" not in "".join(traceback.format_exception(caught.value))


def test_parameter_is_created_with_tags_and_256_bit_key(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
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


def test_existing_parameter_keeps_its_keys(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    stub.add_client_error("put_parameter", "ParameterAlreadyExists")
    existing(stub)
    KeyParameters(client, lambda: 0).create(WANTED)


def test_name_of_a_deleted_parameter_is_awaited(clients: StubbedClients) -> None:
    """For half a minute Parameter Store says that it exists (DeleteParameter)."""
    client, stub = clients.client("ssm")
    for _ in range(3):
        stub.add_client_error("put_parameter", "ParameterAlreadyExists")
        stub.add_client_error("get_parameter", "ParameterNotFound")
    stub.add_response("put_parameter", {"Version": 1})
    KeyParameters(client, lambda: 0).create(WANTED)


def test_wait_for_the_name_of_a_parameter_is_bounded(
    clients: StubbedClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssm, "RECREATION_SECONDS", 0.0)
    client, stub = clients.client("ssm")
    stub.add_client_error("put_parameter", "ParameterAlreadyExists")
    stub.add_client_error("get_parameter", "ParameterNotFound")
    with pytest.raises(ChatError, match="was deleted a moment ago") as raised:
        KeyParameters(client, lambda: 0).create(WANTED)
    assert raised.value.code == "parameter_deleted_recently"


def test_foreign_parameter_is_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    stub.add_client_error("put_parameter", "ParameterAlreadyExists")
    existing(stub, tags=[])
    with pytest.raises(ChatError) as raised:
        KeyParameters(client, lambda: 0).create(WANTED)
    assert raised.value.code == "not_ours"


def test_unencrypted_parameter_is_created_again(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    stub.add_response("delete_parameter", {}, {"Name": NAME})
    stub.add_response("put_parameter", {"Version": 1})
    KeyParameters(client, lambda: 0).update(dataclasses.replace(WANTED, type="String"), WANTED)


def test_what_differs_of_the_tags_is_changed(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    where = {"ResourceType": "Parameter", "ResourceId": NAME}
    stub.add_response("add_tags_to_resource", {}, {**where, "Tags": LISTED})
    stub.add_response("remove_tags_from_resource", {}, {**where, "TagKeys": ["by"]})
    KeyParameters(client, lambda: 0).update(dataclasses.replace(WANTED, tags=(("by", "hand"),)), WANTED)


def test_new_keys_replace_old_keys(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    stub.add_response(
        "put_parameter", {"Version": 2}, {"Name": NAME, "Value": write_keys(KEYS), "Overwrite": True}
    )
    assert KeyParameters(client, lambda: 0).put(NAME, KEYS) == 2
    response = {"Parameter": {"Value": write_keys(KEYS), "Version": 2}}
    stub.add_response("get_parameter", response, {"Name": NAME, "WithDecryption": True})
    assert KeyParameters(client, lambda: 0).read_stored(NAME) == (KEYS, 2)
    stub.add_response("get_parameter", response, {"Name": NAME, "WithDecryption": True})
    assert KeyParameters(client, lambda: 0).keys(NAME) == KEYS


def test_invalid_value_is_not_repeated_in_error(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
    stub.add_response("get_parameter", {"Parameter": {"Value": json.dumps({"keys": [{"key": "hush"}]})}})
    with pytest.raises(ChatError) as raised:
        KeyParameters(client, lambda: 0).keys(NAME)
    assert raised.value.code == "token_keys_unreadable"
    assert "hush" not in raised.value.message + raised.value.hint
    assert raised.value.__cause__ is None


def test_deleting_absent_parameter_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("ssm")
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
AUTHORIZER = {
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


def api_of(client: Any, authorizers: dict[str, str] | None = None) -> ApiClient:
    api = ApiClient(client, "", lambda: client)
    api.ids.api, api.ids.authorizers = "x", authorizers or {}
    return api


def test_authorizers_are_read_including_two_of_one_name(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_response("get_authorizers", {"Items": [read("authorize", "a1"), read("authorize", "a2")]})
    api = api_of(client)
    found = Authorizers(api).read()
    assert found == [ASKS, dataclasses.replace(ASKS, name="a2")]
    assert api.ids.authorizers == {"authorize": "a1", "a2": "a2"}


def test_authorizer_whose_response_was_lost_is_not_created_twice(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_client_error("create_authorizer", "ServiceUnavailable", http_status_code=503)
    stub.add_response("get_authorizers", {"Items": [read("authorize", "a1")]})
    stub.add_response("update_authorizer", {}, {**AUTHORIZER, "AuthorizerId": "a1"})
    api = api_of(client)
    Authorizers(api).put(ASKS)
    assert api.ids.authorizers == {"authorize": "a1"}


def test_manually_set_role_is_removed(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    changed = {**AUTHORIZER, "AuthorizerId": "a1", "AuthorizerCredentialsArn": ""}
    stub.add_response("update_authorizer", {}, changed)
    lent = dataclasses.replace(ASKS, credentials="arn:role")
    Authorizers(api_of(client, {"authorize": "a1"})).put(ASKS, lent)


def test_deleting_absent_authorizer_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_client_error("delete_authorizer", "NotFoundException")
    Authorizers(api_of(client, {"authorize": "a1"})).delete(ASKS)
