"""Releases: which one runs, what each changed, rollback, and which ones are outdated."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nwchatctl.deploy.fingerprints import release_id
from nwchatctl.deploy.model.functions import ALIAS, Alias, Function, Version, alias_name
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource, State, key, state
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.model.websocket import Deployment, Stage
from nwchatctl.deploy.value_diff import differing
from nwchatctl.errors import ChatError, Exit

_SHORT = 40
"""Characters of a value in a list of releases, which has a line for each."""

VERSIONS_KEPT = 10
DEPLOYMENTS_KEPT = 5


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release, when it was last deployed (epoch ms), by whom, and the id of the release that ran before, ""
    if none."""

    release: Release
    created_at: int
    by: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseEntry:
    """A release as it is listed: whether it runs, whether a rollback to it is possible, what it changed, and
    the same with the parts of long values that differ."""

    record: ReleaseRecord
    current: bool
    available: bool
    changed: tuple[str, ...]
    changed_short: tuple[str, ...]


def entries(records: Sequence[ReleaseRecord], live: State, stage: str) -> list[ReleaseEntry]:
    """The list of releases, in the order of `records`: newest first."""
    now = running_release(live, stage, records)
    before = [each.release.settings for each in records[1:]]
    return [
        ReleaseEntry(
            each,
            each.release.name == now,
            not missing_parts(live, each.release),
            *(
                change_lines(each.release.settings, before[at], width) if at < len(before) else ()
                for width in (None, _SHORT)
            ),
        )
        for at, each in enumerate(records)
    ]


def running_release(live: State, stage: str, records: Sequence[ReleaseRecord]) -> str | None:
    """The id of what the chat runs now; it is in no record if aliases and stage belong to different releases.
    None if nothing runs.

    A release from before a function was added runs if all functions that it has are at its versions: a
    rollback to it leaves the new function unchanged, and nothing invokes that.
    """
    aliases = {each.function: each.runs for each in live.values() if isinstance(each, Alias)}
    front = live.get((Stage.kind, stage))
    if not aliases or not isinstance(front, Stage):
        return None
    whole = release_id(string_map(aliases), front.deployment)
    known = [each.release for each in records]
    if whole in {each.name for each in known}:
        return whole
    older = (
        each.name
        for each in known
        if each.deployment == front.deployment
        and each.functions
        and set(each.functions) < set(aliases.items())
    )
    return next(older, whole)


def release_before(records: Sequence[ReleaseRecord], ran: str | None, release: str) -> str:
    """The release to store as the one that ran before `release`; "" for none. `ran` is what ran when the chat
    was read.

    After an interrupted deploy that may be a mixture of two releases, or `release` itself: then it is the one
    deployed last.
    """
    others = [each.release.name for each in records if each.release.name != release]
    return ran if ran in others else next(iter(others), "")


def previous_release(records: Sequence[ReleaseRecord], current: str | None) -> Release:
    """The release that a rollback without a name returns to: the one that ran before `current` was deployed;
    else the one deployed before it; if `current` is not recorded, the latest. Raises ChatError, exit 4."""
    ids = [each.release.name for each in records]
    ran = {each.release.name: each.before for each in records}.get(current or "", "")
    if ran in ids and ran != current:
        return records[ids.index(ran)].release
    older = records[ids.index(current) + 1 :] if current in ids else records
    if not older:
        raise ChatError(
            "there is no earlier release",
            hint="`nwchatctl releases` lists those that there are",
            code="no_release",
            exit_code=Exit.NOT_FOUND,
        )
    return older[0].release


def find_release(records: Sequence[ReleaseRecord], name: str) -> Release:
    """The release whose id begins with `name`. Raises ChatError, exit 4."""
    found = [each.release for each in records if each.release.name.startswith(name.lower())]
    if len(found) != 1 or not name:
        raise ChatError(
            f"{len(found)} releases begin with {name!r}" if found else f"there is no release {name!r}",
            hint="`nwchatctl releases` lists those that there are",
            code="no_release",
            exit_code=Exit.NOT_FOUND,
        )
    return found[0]


def state_after_rollback(live: State, release: Release, stage: str) -> State:
    """`live` with aliases and stage as in `release`. Raises ChatError, exit 4, if parts of the release were
    deleted."""
    missing = missing_parts(live, release)
    stage_now = live.get((Stage.kind, stage))
    if missing or not isinstance(stage_now, Stage):
        raise ChatError(
            f"release {release.name} cannot run any more: {', '.join(missing) or f'stage {stage}'} is gone",
            hint="`nwchatctl releases` lists those that there are; `nwchatctl deploy` builds what is set",
            code="release_gone",
            exit_code=Exit.NOT_FOUND,
        )
    aliases = [Alias(alias_name(name), name, runs, ()) for name, runs in release.functions]
    moved = dataclasses.replace(stage_now, deployment=release.deployment)
    return {**live, **state(*aliases, moved)}


def refuse_larger_release(
    wanted: State, stage: str, records: Sequence[ReleaseRecord], target: Release
) -> None:
    """Raises ChatError, exit 4, if `wanted`, the state after a rollback to `target`, is another recorded
    release, which has functions that `target` has not: a rollback removes none."""
    runs = running_release(wanted, stage, records)
    if runs == target.name:
        return
    own = {name for name, _ in target.functions}
    further = sorted(
        each.function for each in wanted.values() if isinstance(each, Alias) and each.function not in own
    )
    raise ChatError(
        f"a rollback cannot lead to release {target.name}: it has no {', '.join(further)}, "
        f"and release {runs} would run",
        hint="change the settings to what that release has, and deploy",
        code="release_smaller",
        exit_code=Exit.NOT_FOUND,
    )


def missing_parts(live: State, release: Release) -> list[str]:
    """The parts of `release` that do not exist any more."""
    versions = {(each.function, each.runs) for each in live.values() if isinstance(each, Version)}
    missing = [f"a version of {name}" for name, runs in release.functions if (name, runs) not in versions]
    has_deployment = (Deployment.kind, release.deployment) in live
    return missing if has_deployment else [*missing, f"deployment {release.deployment}"]


_ASSIGNED = re.compile(r"\(known after the ([A-Za-z ]+) is (?:made|requested)\)")


def _recorded(text: str) -> str:
    """A recorded value; where AWS has assigned a part of it, without the words of a plan: it is known now."""
    return _ASSIGNED.sub(r"(the \1's own)", text)


def change_lines(settings: StringMap, before: StringMap, width: int | None = None) -> tuple[str, ...]:
    """The differences between a release's settings and the previous ones, as readable lines; a difference
    that all functions share is one line. Of values longer than `width` only the part that differs."""
    old, new = dict(before), dict(settings)
    things_by_text: dict[str, list[str]] = {}
    for name in sorted({*old, *new}):
        # Earlier releases lack attributes that a later version of the tool added.
        if old.get(name, "") != new.get(name, ""):
            thing, _, attribute = name.partition(".")
            values = _recorded(old.get(name) or ""), _recorded(new.get(name) or "")
            first, second = values if width is None else differing(*values, width)
            text = f"{attribute} {first or '(none)'} → {second or '(none)'}"
            things_by_text.setdefault("code" if attribute == "code_sha256" else text, []).append(thing)
    every = {name.partition(".")[0] for name in new if name.startswith(f"{Function.kind} ")}
    lines: list[str] = []
    for text, things in things_by_text.items():
        lines += [text] if every <= set(things) else [f"{thing} {text}" for thing in things]
    return tuple(lines)


def outdated_resources(wanted: State, live: State) -> list[Resource]:
    """The resources that `deploy` deletes because they are too old for a rollback; never one that is in use
    afterwards."""
    versions: list[Resource] = [*_old_versions(wanted, live)]
    deployments = _old_deployments(wanted, live)
    outdated_keys = {key(each) for each in (*versions, *deployments)}
    # Deleting a function deletes its versions.
    deleted_functions = {
        each.name
        for resource_key, each in live.items()
        if isinstance(each, Function) and resource_key not in wanted
    }
    rest = {
        resource_key: each
        for resource_key, each in live.items()
        if resource_key not in outdated_keys
        and not (isinstance(each, Version) and each.function in deleted_functions)
    }
    # Wanted releases are about to be complete; others are deleted if a part is missing.
    releases = [
        each
        for resource_key, each in live.items()
        if isinstance(each, Release) and resource_key not in wanted and missing_parts(rest, each)
    ]
    return [*versions, *deployments, *releases]


def _old_versions(wanted: State, live: State) -> list[Version]:
    old: list[Version] = []
    for resource_key, want in wanted.items():
        if not isinstance(want, Alias):
            continue
        versions = [
            each for each in live.values() if isinstance(each, Version) and each.function == want.function
        ]
        versions.sort(key=lambda each: each.number, reverse=True)
        same = [each for each in versions if each.runs == want.runs]
        # An unchanged alias stays on its version; a moved one uses the newest identical version, or a new
        # one.
        stays = live.get(resource_key) == want
        keep = {each.name for each in versions[: VERSIONS_KEPT - (not same and not stays)]}
        keep |= {each.name for each in versions if stays and each.held_by}
        keep |= {each.name for each in versions if set(each.held_by) - {ALIAS}}
        keep |= {each.name for each in same[:1]}
        old += [each for each in versions if each.name not in keep]
    return old


def _old_deployments(wanted: State, live: State) -> list[Deployment]:
    # Sorted by creation, as far as that is known: times are in seconds.
    deployments = [each for each in live.values() if isinstance(each, Deployment)][::-1]
    deployments.sort(key=lambda each: each.created, reverse=True)
    front = [each for each in wanted.values() if isinstance(each, Stage)]
    served = {each.deployment for each in front}
    ours = [each for each in deployments if each.marked]
    new = not served <= {each.name for each in ours}
    keep = {each.name for each in ours[: DEPLOYMENTS_KEPT - new]} | served
    stages = {each.name for each in front}
    return [each for each in deployments if each.name not in keep and not set(each.held_by) - stages]
