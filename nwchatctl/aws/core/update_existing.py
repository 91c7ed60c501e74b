"""Updates a resource that a create call found to exist: a response was lost, or a deploy was killed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from nwchatctl.aws.core.retry import VISIBLE_SECONDS, wait_until
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import key
from nwchatctl.deploy.model.storage import Queue, Table, TokenKeys
from nwchatctl.deploy.names import CHAT_TAG
from nwchatctl.deploy.protections import keep_protections
from nwchatctl.deploy.safety import refuse_foreign
from nwchatctl.errors import ChatError

R = TypeVar("R", Table, Role, Function, Queue, TokenKeys)

_OWNERSHIP = "nwchat:"
"""The prefix of the tags that mark a resource as the chat's (`ResourceNames.tags`); the others come from the
settings."""


def update_existing(
    wanted: R, read: Callable[[str], R | None], update: Callable[[R, R], None], error: Exception
) -> None:
    """Updates the existing resource to `wanted`, after `error` reported that its name exists.

    Raises ChatError `not_ours` if it lacks the chat's tags, and `error` if it cannot be read.
    """
    have = _read_existing(wanted, read)
    if have is None:
        raise error
    ours = {each for each in wanted.tags if each[0].startswith(_OWNERSHIP)}
    if not ours <= set(have.tags):
        refuse_foreign([key(wanted)], dict(wanted.tags).get(CHAT_TAG, ""))
    update(have, keep_protections(have, wanted))


def _read_existing(wanted: R, read: Callable[[str], R | None]) -> R | None:
    """The resource, which reads may show later than creates do: AWS is eventually consistent."""
    found: list[R] = []

    def is_visible() -> bool:
        have = read(wanted.name)
        found.extend([have] if have is not None else [])
        return have is not None

    with suppress(ChatError):
        wait_until(is_visible, f"{wanted.kind} {wanted.name} is not visible", VISIBLE_SECONDS)
    return found[0] if found else None
