"""The transition of a chat between open and token mode, in an order that refuses no client."""

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
"""Whether a chat begins or ceases to require tokens when its stage moves."""


def requires_token(release: Release) -> bool:
    """Whether the release requires a token to connect."""
    return any(name.endswith(f"-{AUTHORIZE}") for name, _ in release.functions)


def stage_requires_token(live: State, stage: str) -> bool:
    """Whether `stage` requires a token to connect.

    If no release of its deployment is recorded, because a deploy was killed, the current routes decide.
    """
    known = _requires_token(live, live.get((Stage.kind, stage)))
    if known is not None:
        return known
    return any(isinstance(each, Route) and each.authorizer for each in live.values())


def restricts_connections(live: State) -> bool:
    """Whether a client needs a token, or another authorization, to connect to any stage of the chat.

    If the stage was deleted by hand, the release that was deployed last decides.
    """
    stages = [each for each in live.values() if isinstance(each, Stage)]
    if stages:
        return any(_stage_restricts(live, each) for each in stages)
    return any(isinstance(each, Release) and each.latest and requires_token(each) for each in live.values())


def _stage_restricts(live: State, stage: Stage) -> bool:
    known = _requires_token(live, stage)
    if known is not None:
        return known
    return any(
        isinstance(each, Route)
        and (each.authorizer or (each.name == "$connect" and each.authorization not in ("", "NONE")))
        for each in live.values()
    )


def auth_transition(wanted: State, live: State) -> AuthTransition:
    """Whether a stage begins or ceases to require tokens from `live` to `wanted`.

    If its current mode is unknown, it counts as the opposite of the wanted one: that order does no harm.
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
    """Whether a stage requires tokens, according to the releases with its deployment; None if there are none.

    A deployment's name is a fingerprint of its routes: all its releases require tokens, or none does.
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
    """The additional dependencies if a chat begins or ceases to require tokens.

    In token mode, the functions refuse a connection without a verified token. So they switch on after the
    stage requires tokens, and off before it ceases to: no client is refused in between. `before` has the
    existing dependencies; an alias that the stage waits for stays before it.
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
