"""The commands that put tags back are the AWS CLI's, about this account and Region."""

from __future__ import annotations

import json
import shlex

import pytest

from nwchatctl.deploy.location import Location
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.safety import refuse_foreign
from nwchatctl.deploy.tag_commands import tag_command
from nwchatctl.errors import ChatError

PLACE = Location("123456789012", "us-east-2")
NAMES = ResourceNames("dojo")
LISTED = ["Key=nwchat:chat,Value=dojo", "Key=nwchat:managed-by,Value=nwchatctl"]
MAPPED = json.dumps(NAMES.tags)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            ("function", "nwchat-dojo-message"),
            [
                *("lambda", "tag-resource", "--resource"),
                *("arn:aws:lambda:us-east-2:123456789012:function:nwchat-dojo-message", "--tags", MAPPED),
            ],
        ),
        (
            ("role", "nwchat-dojo-message"),
            ["iam", "tag-role", "--role-name", "nwchat-dojo-message", "--tags", *LISTED],
        ),
        (
            ("table", "nwchat-dojo-messages"),
            [
                *("dynamodb", "tag-resource", "--resource-arn"),
                *("arn:aws:dynamodb:us-east-2:123456789012:table/nwchat-dojo-messages", "--tags", *LISTED),
            ],
        ),
        (
            ("queue", "nwchat-dojo-dead-letters"),
            [
                *("sqs", "tag-queue", "--queue-url"),
                "https://sqs.us-east-2.amazonaws.com/123456789012/nwchat-dojo-dead-letters",
                *("--tags", MAPPED),
            ],
        ),
        (
            ("token-keys", "/nwchat-dojo/token-keys"),
            [
                *("ssm", "add-tags-to-resource", "--resource-type", "Parameter"),
                *("--resource-id", "/nwchat-dojo/token-keys", "--tags", *LISTED),
            ],
        ),
        (
            ("log-group", "/aws/apigateway/nwchat-dojo-access"),
            [
                *("logs", "tag-resource", "--resource-arn"),
                "arn:aws:logs:us-east-2:123456789012:log-group:/aws/apigateway/nwchat-dojo-access",
                *("--tags", MAPPED),
            ],
        ),
    ],
)
def test_each_kind_has_its_command(key: tuple[str, str], words: list[str]) -> None:
    assert shlex.split(tag_command(key, NAMES.tags, PLACE)) == ["aws", "--region", "us-east-2", *words]
    with pytest.raises(ChatError) as caught:
        refuse_foreign([key], "dojo", PLACE)
    assert caught.value.hint.endswith(f"put them back: {tag_command(key, NAMES.tags, PLACE)}")


def test_the_sandbox_is_named_by_its_address() -> None:
    text = tag_command(("role", "x"), NAMES.tags, Location("1", "us-east-2", "http://127.0.0.1:4566"))
    assert text.startswith("aws --region us-east-2 --endpoint-url http://127.0.0.1:4566 iam tag-role ")
    assert tag_command(("route", "x"), NAMES.tags, PLACE) == ""


def test_many_resources_have_three_commands_in_the_hint() -> None:
    keys = [("role", f"nwchat-dojo-{number}") for number in range(5)]
    with pytest.raises(ChatError) as caught:
        refuse_foreign(keys, "dojo", PLACE)
    assert caught.value.hint.count("aws --region") == 3
    assert caught.value.hint.endswith("; and 2 more in the same way")
    with pytest.raises(ChatError) as caught:
        refuse_foreign(keys, "dojo")
    assert "nwchat:chat=dojo and nwchat:managed-by=nwchatctl" in caught.value.hint
