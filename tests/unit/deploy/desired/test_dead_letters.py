"""What waits for what where failed segments are led into a queue, and what a destroy takes of it."""

from __future__ import annotations

from typing import Any

from nwchatctl.config import Settings
from nwchatctl.deploy.changes import Delete
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import AsyncInvoke
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.storage import Queue
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.planner import plan
from nwchatctl.deploy.safety import plan_destroy, removals

NAMES = ResourceNames("ninjawars")
LIVE = "nwchat-ninjawars-fanout:live"


def chat(**sections: Any) -> State:
    return desired_state(Settings(**sections), Location("123456789012", "us-east-2"), "c0de", "abc123")


def test_event_invoke_config_follows_alias_role_and_queue() -> None:
    after = plan(chat(), {}).after
    assert after[(AsyncInvoke.kind, LIVE)] == {
        ("alias", LIVE),
        ("queue", NAMES.dead_letters),
        *(each for each in chat() if each[0] == "role"),
    }
    assert after[(Queue.kind, NAMES.dead_letters)] == set()
    # Nobody is let in before that.
    assert (AsyncInvoke.kind, LIVE) in after[(Stage.kind, "production")]


def test_a_destroy_takes_the_queue_whatever_is_kept() -> None:
    changes, left = plan_destroy(chat(), deploys=NAMES.deploys, delete_data=False, keep_logs=True)
    gone = {(each.before.kind, each.before.name) for each in changes.changes if isinstance(each, Delete)}
    assert (Queue.kind, NAMES.dead_letters) in gone
    assert Queue.kind not in {kind for kind, _ in left}
    # After the function, whose failures go there.
    assert ("function", "nwchat-ninjawars-fanout") in changes.after[(Queue.kind, NAMES.dead_letters)]


def test_deleting_extra_queue_requires_confirmation() -> None:
    live = chat()
    queue = live[(Queue.kind, NAMES.dead_letters)]
    assert removals(plan({}, {(queue.kind, queue.name): queue})) == (Delete(queue),)


def test_fanout_has_a_size_of_its_own() -> None:
    state = chat(fanout={"memory_mb": 512, "timeout_seconds": 60, "threshold": 7, "segment_size": 8})
    function: Any = state[("function", "nwchat-ninjawars-fanout")]
    assert (function.memory_mb, function.timeout_seconds) == (512, 60)
    message: Any = state[("function", "nwchat-ninjawars-message")]
    assert (message.memory_mb, message.timeout_seconds) == (256, 25)
    for each in (function, message):
        assert dict(each.environment)["NWCHAT_FANOUT_FUNCTION"] == LIVE
    environment = dict(message.environment)
    assert (environment["NWCHAT_FANOUT_THRESHOLD"], environment["NWCHAT_FANOUT_SEGMENT_SIZE"]) == ("7", "8")


def test_segment_rate_is_account_rate_minus_reserve() -> None:
    state = chat(sending={"account_rate": 2_500, "reserve_rate": 500})
    message: Any = state[("function", "nwchat-ninjawars-message")]
    assert dict(message.environment)["NWCHAT_SENDING_RATE"] == "2000"
