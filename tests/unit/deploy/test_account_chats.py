"""The chats of an account, from the tags of its resources."""

from __future__ import annotations

import pytest

from nwchatctl.deploy.account_chats import AccountChat, TaggedResource, chats_of, resource_kind

GATEWAY, HERE = "arn:aws:apigateway:us-east-2::", "us-east-2:123456789012:"


def of(chat: str, *arns: str) -> list[TaggedResource]:
    return [TaggedResource(each, {"nwchat:chat": chat, "nwchat:managed-by": "nwchatctl"}) for each in arns]


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (f"{GATEWAY}/apis/a1b2c3d4e5", "api"),
        (f"{GATEWAY}/apis/a1b2c3d4e5/stages/production", "stage"),
        (f"{GATEWAY}/apis/a1b2c3d4e5/stages/$default", "stage"),
        (f"{GATEWAY}/domainnames/chat.example.com", "domain"),
        (f"arn:aws:lambda:{HERE}function:nwchat-dojo-connect", "function"),
        (f"arn:aws:dynamodb:{HERE}table/nwchat-dojo-messages", "table"),
        (f"arn:aws:logs:{HERE}log-group:/aws/lambda/nwchat-dojo-connect", "log-group"),
        (f"arn:aws:sqs:{HERE}nwchat-dojo-dead-letters", "queue"),
        (f"arn:aws-cn:ssm:{HERE}parameter/nwchat-dojo/token-keys", "token-keys"),
        (f"arn:aws:acm:{HERE}certificate/0a1b", "certificate"),
        (f"arn:aws:backup:{HERE}recovery-point:0a1b", "backup"),
        ("arn:aws:x", "x"),
        ("", "unknown"),
    ],
)
def test_kind_of_a_resource(arn: str, kind: str) -> None:
    assert resource_kind(arn) == kind


def test_chats_are_told_apart_by_their_whole_name() -> None:
    table = f"arn:aws:dynamodb:{HERE}table/nwchat-ninja-wars-messages"
    found = chats_of(
        "us-east-2",
        [
            *of("ninja-wars", table),
            *of("ninja", f"{GATEWAY}/apis/a", f"{GATEWAY}/apis/b", f"arn:aws:sqs:{HERE}q"),
            # A role for logs, which is of no chat.
            TaggedResource("arn:aws:logs:x", {"nwchat:managed-by": "nwchatctl"}),
        ],
    )
    assert found == [
        AccountChat("ninja", "us-east-2", (("api", 2), ("queue", 1))),
        AccountChat("ninja-wars", "us-east-2", (("table", 1),)),
    ]
    assert [(each.state, each.count) for each in found] == [("deployed", 3), ("data", 1)]


def test_chat_without_api_and_tables_is_parts() -> None:
    (found,) = chats_of("us-east-2", of("x", f"arn:aws:sqs:{HERE}q"))
    assert found.state == "parts"
