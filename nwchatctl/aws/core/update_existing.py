"""Making what may be there already: by an answer that was lost, or a deploy that was killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nwchatctl.aws.core.retry import with_retries
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import key
from nwchatctl.deploy.model.storage import Queue, Table, TokenKeys
from nwchatctl.deploy.safety import refuse_foreign

R = TypeVar("R", Table, Role, Function, Queue, TokenKeys)

_OWNERSHIP = "nwchat:"
"""What the tags begin with by which we know what is ours (`Names.tags`); the others are the settings'."""


def update_existing(
    wanted: R, read: Callable[[str], R | None], update: Callable[[R, R], None], error: Exception
) -> None:
    """Turns what is there into `wanted`, after `error` said that the name is taken.

    Raises ChatError `not_ours` where it lacks the chat's tags, and `error` where nothing can be read.
    """
    have = with_retries(read, wanted.name)
    if have is None:
        raise error
    ours = {each for each in wanted.tags if each[0].startswith(_OWNERSHIP)}
    if not ours <= set(have.tags):
        refuse_foreign([key(wanted)], dict(wanted.tags).get("nwchat:chat", ""))
    update(have, wanted)
