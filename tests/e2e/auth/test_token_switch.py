"""A chat begins to ask for tokens, goes back, and rolls back, under an open socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.chat import eventually, unique
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.token_factory import player, refused

TOKEN = {"NWCHAT_AUTH__MODE": "token"}


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-switch", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()
    assert made.resources() == set()


def check_opening_needs_its_flag(chat: Operator) -> None:
    """Neither --yes, nor a part of the deploy, nor a settings file without the mode opens the chat."""
    empty = chat.home / "empty.toml"
    empty.write_text("")
    for words in (
        ("deploy", "--yes"),
        ("-q", "deploy", "--yes", "--json"),
        ("--config", str(empty), "deploy", "--yes"),
        ("deploy", "--yes", "--only", "function"),
    ):
        ran = chat.run(*words)
        assert ran.error is not None, words
        assert (ran.code, ran.error.code, ran.writes) == (7, "confirmation_required", []), words
        assert "lets everybody in without a token, under any name" in ran.error.message
        assert ran.error.hint == 'give --open, or set auth.mode = "token" (it is "open" by default)'
    (opens,) = (each for each in chat.json("plan")["consequences"] if each["code"] == "opens_chat")
    assert opens["flag"] == "--open"
    assert f"! {opens['message']}" in chat.run("plan").out.splitlines()
    assert chat.plan(**TOKEN) == []


def test_mode_is_switched_on_and_off_under_an_open_socket(chat: Operator) -> None:
    url = chat.url
    with player(url) as early:
        early.send({"message": "it is me", "uname": "Alice", "sender_id": "77", "client_id": "me"})
        assert early.receive_type("ack")["client_id"] == "me"
        opened = chat.json("releases")["releases"][0]["id"]
        ran = chat.run("deploy", "--yes", "--json", **TOKEN)
        assert ran.error is None
        # Until the stage asks for tokens, the functions take whoever comes.
        calls = list(ran.calls)
        assert calls.index("CreateAuthorizer") < calls.index("CreateDeployment") < calls.index("UpdateStage")
        moved = calls.index("UpdateStage")
        # The one before is of the function that is asked, whose alias is then made. Those after are of the
        # functions that ask for tokens: connect, message and history.
        assert (calls[:moved].count("UpdateAlias"), calls[moved:].count("UpdateAlias")) == (1, 3)
        assert chat.plan(**TOKEN) == []

        # Who came in before is still there, hears, and is told to come again with a token.
        assert refused(url) == 403
        issued = chat.run("token", "issue", "7", **TOKEN).out.strip()
        with player(url, issued) as late:
            early.send({"message": "under any name", "client_id": "c"})
            answer = early.receive_type("error")
            assert (answer["code"], answer["client_id"]) == ("unauthorized", "c")
            # A token has proven the one to be whom it says; the other may have taken somebody else's name.
            ids = {
                each["sender_id"]: each["connection_id"]
                for each in chat.json("connections", "list", **TOKEN)["connections"]
            }
            for sender, who in (("7", "7"), ("77", "127.0.0.1")):
                would = chat.json("connections", "kick", ids[sender], "--ban", "1h", "-n", **TOKEN)
                assert [each["who"] for each in would["banned"]] == [who]
            text = unique()
            late.send(text)
            assert early.receive_text(text)["sender_id"] == "7"

        # Back to a release without tokens: not by accident.
        preview = chat.run("rollback", opened, "--dry-run", **TOKEN)
        assert "lets everybody in without a token" in preview.err
        denied = chat.run("rollback", opened, "--yes", **TOKEN)
        assert denied.error is not None
        assert (denied.code, denied.error.hint) == (7, "give --open")
        assert chat.plan(**TOKEN) == []
        rolled = chat.run("rollback", opened, "--open", "--json", **TOKEN)
        assert rolled.data["release"] == opened
        calls = list(rolled.calls)
        assert calls.index("UpdateStage") > len(calls) - 1 - calls[::-1].index("UpdateAlias")
        assert chat.json("status", **TOKEN)["auth"] == "open"
        assert chat.plan(**TOKEN) != []
        # Forward again asks nothing.
        ran = chat.run("deploy", "--json", **TOKEN)
        assert ran.error is None
        calls = list(ran.calls)
        assert calls.index("UpdateStage") < calls.index("UpdateAlias")
        assert chat.json("status", **TOKEN)["auth"] == "token"
        assert refused(url) == 403

        asking = chat.json("releases", **TOKEN)["releases"][0]["id"]
        check_opening_needs_its_flag(chat)
        ran = chat.run("deploy", "--yes", "--open", "--json")
        assert ran.error is None
        codes = {each["code"]: each["flag"] for each in ran.data["consequences"]}
        assert codes == {"opens_chat": "--open", "releases_lost": "--yes", "logs_deleted": "--yes"}
        calls = list(ran.calls)
        moved = calls.index("UpdateStage")
        assert (calls[:moved].count("UpdateAlias"), calls[moved:].count("UpdateAlias")) == (3, 0)
        assert moved < calls.index("DeleteAuthorizer")
        assert calls.index("DeleteAuthorizer") < calls.index("DeleteFunction")
        assert chat.plan() == []
        with player(url, issued) as named, player(url) as anybody:
            for each, name in ((early, "old"), (anybody, "new")):
                text = unique()
                each.send({"message": text, "uname": name})
                assert named.receive_text(text)["uname"] == name
        # The keys are kept, so that tokens count again where the chat comes back to them.
        assert "token-keys /nwchat-e2e-switch/token-keys" in chat.resources()
        assert "token-keys" not in {each["kind"] for each in chat.plan(**TOKEN)}
        gone = chat.run("rollback", asking)
        assert gone.error is not None
        assert gone.error.code in ("no_release", "release_gone")
    eventually(lambda: chat.root("dynamodb").scan(TableName=chat.resource_name("connections"))["Count"], 0)
