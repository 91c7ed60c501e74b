"""A chat whose stage deploys automatically is taken over in one step of its stage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.chat import unique
from tests.e2e.support.legacy_chat import LegacyChat
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture
def legacy_chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LegacyChat]:
    operator = Operator(sandbox, "e2e-auto", tmp_path_factory.mktemp("home"))
    made = LegacyChat(operator, "autochat", auto_deploy=True).make()
    yield made
    operator.destroy()
    made.remove()


def test_auto_deploy_ends_first_and_the_way_back_is_what_was_served(legacy_chat: LegacyChat) -> None:
    operator, stage = legacy_chat.operator, {"ApiId": legacy_chat.api_id, "StageName": "production"}
    with legacy_chat.player() as player:
        ran = operator.run("adopt", *legacy_chat.flags, "--yes", "--json")
        assert (ran.code, ran.error and ran.error.message) == (0, None)
        calls = [each for each in ran.writes if each.startswith(("Update", "Create", "Delete"))]
        of_the_api = [each for each in calls if each.endswith(("Api", "Route", "Integration", "Stage"))]
        # Off; then everything that changes; then the stage, in one step.
        assert (of_the_api[0], of_the_api[-1], of_the_api.count("UpdateStage")) == (
            *("UpdateStage", "UpdateStage"),
            2,
        )
        text = unique()
        player.send({"message": text, "uname": "a", "sender_id": "7"})
        assert player.receive_text(text)["type"] == "message"
    assert operator.plan() == []
    assert operator.json("smoke")["ok"] is True
    assert operator.api.get_stage(**stage)["AutoDeploy"] is False

    # With the old functions still there, one call leads back, to all of what was served.
    assert ran.data["way_back"] == [legacy_chat.deployment]
    operator.api.update_stage(**stage, DeploymentId=legacy_chat.deployment)
    with legacy_chat.player() as player:
        player.send({"action": "sayLoud", "message": "as before"})
        assert player.receive_until(lambda frame: frame.get("message") == "as before")
