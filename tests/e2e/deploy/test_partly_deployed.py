"""A chat of which parts were deleted or changed by hand: every command names what is missing, and how to fix
it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

WHERE = "in account 000000000000, us-east-2"


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    home: Path = tmp_path_factory.mktemp("partly")
    made = Operator(sandbox, "e2e-partly", home)
    made.deploy()
    yield made
    made.deploy()
    made.destroy()


def refused(operator: Operator, *argv: str) -> tuple[str, str, str]:
    """Code, message and hint of a command that must end with exit code 4."""
    ran = operator.run(*argv)
    assert ran.error is not None
    assert ran.code == 4
    return ran.error.code, ran.error.message, ran.error.hint


def test_a_function_that_lost_its_tags(operator: Operator) -> None:
    functions, arn = operator.root("lambda"), operator.arn("lambda", "function:nwchat-e2e-partly-message")
    tags = operator.tags
    functions.untag_resource(Resource=arn, TagKeys=list(tags))
    ran = operator.run("status")
    assert ran.error is not None
    assert ran.error.code == "not_ours"
    assert f"lambda tag-resource --resource {arn} --tags " in ran.error.hint
    functions.tag_resource(Resource=arn, Tags=tags)
    assert operator.run("status", "--check").code == 0


def test_functions_that_the_settings_leave_out(operator: Operator) -> None:
    code, message, hint = refused(operator, "invoke", "authorize")
    assert code == "not_deployed"
    assert message == 'chat e2e-partly has no function authorize: it exists only with auth.mode = "token"'
    assert "nwchatctl deploy" in hint


def test_a_missing_function_is_named(operator: Operator) -> None:
    operator.root("lambda").delete_function(FunctionName="nwchat-e2e-partly-fanout")
    for argv in (("invoke", "fanout"), ("broadcast", "--via", "lambda", "hi")):
        code, message, hint = refused(operator, *argv)
        assert code == "part_missing"
        assert message == (
            f"chat e2e-partly is deployed only in part {WHERE}: function nwchat-e2e-partly-fanout is missing"
        )
        assert hint == "`nwchatctl deploy` creates what is missing; `nwchatctl status` lists it"


def test_a_missing_table_is_named(operator: Operator) -> None:
    tables, name = operator.root("dynamodb"), "nwchat-e2e-partly-messages"
    tables.update_table(TableName=name, DeletionProtectionEnabled=False)
    tables.delete_table(TableName=name)
    tables.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    for argv in (("history", "tail"), ("history", "export", "-"), ("ban", "list")):
        code, message, _ = refused(operator, *argv)
        assert (code, message.rpartition(": ")[2]) == ("part_missing", f"table {name} is missing"), argv


def test_without_its_api_the_rest_is_still_shown(operator: Operator) -> None:
    for api in operator.api.get_apis()["Items"]:
        if api["ProtocolType"] == "WEBSOCKET" and api.get("Tags") == operator.tags:
            operator.api.delete_api(ApiId=api["ApiId"])
    for argv in (("connections", "list", "--verify"), ("smoke",), ("releases",)):
        code, message, _ = refused(operator, *argv)
        assert code == "part_missing", argv
        assert message == f"chat e2e-partly is deployed only in part {WHERE}: its WebSocket API is missing"
    ran = operator.run("status", "--all")
    assert (ran.code, ran.error) == (0, None)
    assert "api/nwchat-e2e-partly\tmissing" in ran.out.splitlines()
    assert f"role/{operator.role_name('connect')}\tok" in ran.out.splitlines()
    assert "the WebSocket API is missing: nobody can connect. `nwchatctl deploy` creates one" in ran.err
    assert operator.run("status", "--check").code == 6
    assert operator.json("status")["endpoints"]["websocket"] is None
