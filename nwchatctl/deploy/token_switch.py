"""How a chat turns from open to token mode and back, in an order that refuses no connected client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from nwchatctl.deploy.changes import Update
from nwchatctl.deploy.desired.token_auth import AUTHORIZE
from nwchatctl.deploy.model.functions import Alias
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.websocket import Route, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from nwchatctl.deploy.changes import Change
    from nwchatctl.deploy.model.state import Key, Resource, State


AuthTransition: TypeAlias = Literal["begins", "ceases", "stays"]
"""What becomes of a chat's asking for tokens when its stage moves."""


def requires_token(release: Release) -> bool:
    """Whether nobody comes into this release without a token."""
    return any(name.endswith(f"-{AUTHORIZE}") for name, _ in release.functions)


def stage_requires_token(live: State, stage: str) -> bool:
    """Whether nobody comes in without a token through what `stage` serves.

    Where no release is known of that, as a deploy was killed, the routes that there are now say so.
    """
    known = _requires_token(live, live.get((Stage.kind, stage)))
    if known is not None:
        return known
    return any(isinstance(each, Route) and each.authorizer for each in live.values())


def auth_transition(wanted: State, live: State) -> AuthTransition:
    """Whether a stage begins or ceases to ask for tokens from `live` to `wanted`.

    Where it is not known what it serves now, it is taken to be the other thing: that order does no harm.
    """
    known = {**live, **wanted}
    for key, want in wanted.items():
        have = live.get(key)
        if isinstance(want, Stage) and isinstance(have, Stage) and want.deployment != have.deployment:
            before, after = _requires_token(known, have), _requires_token(known, want)
            if before != after:
                return "begins" if after else "ceases"
    return "stays"


def _requires_token(known: State, stage: Resource | None) -> bool | None:
    """Whether what a stage serves asks for tokens, as releases of it tell; None where there is none.

    A deployment's name is a fingerprint of its routes: all releases of it ask, or none does.
    """
    releases = [
        each
        for each in known.values()
        if isinstance(stage, Stage) and isinstance(each, Release) and each.deployment == stage.deployment
    ]
    return any(map(requires_token, releases)) if releases else None


def order_for_transition(
    changes: Mapping[Key, Change], before: Mapping[Key, set[Key]], transition: AuthTransition
) -> dict[Key, set[Key]]:
    """What else has to wait for what, where a chat begins or ceases to ask for tokens.

    The functions refuse whoever was not asked. So they begin to once the stage asks, and cease before it:
    nobody is refused in between. `before` is what each change waits for; an alias that the stage waits
    for stays before it.
    """
    moved = {key for key, each in changes.items() if isinstance(each, Update)}
    stages = {each for each in moved if each[0] == Stage.kind}
    aliases = {each for each in moved if each[0] == Alias.kind}
    match transition:
        case "begins":
            return dict.fromkeys(aliases - _closure(stages, before), stages)
        case "ceases":
            return dict.fromkeys(stages, aliases)
        case "stays":
            return {}
        case _:
            assert_never(transition)


def _closure(keys: set[Key], before: Mapping[Key, set[Key]]) -> set[Key]:
    found: set[Key] = set()
    todo = set(keys)
    while todo:
        key = todo.pop()
        if key not in found:
            found.add(key)
            todo |= before[key]
    return found
