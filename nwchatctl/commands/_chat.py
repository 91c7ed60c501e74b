"""What the deploying commands share: the chat as wanted and as it is, and how a plan reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.aws.cloud import Cloud, Live
    from nwchatctl.context import App
    from nwchatctl.deploy.addresses import Addresses
    from nwchatctl.deploy.changes import Change
    from nwchatctl.deploy.model.state import State
    from nwchatctl.deploy.planner import Plan

_SHOWN = 72
"""Characters of a value that a person sees; `--json` has all of it."""

_SIGNS = {"create": ("+", Mark.ADD), "update": ("~", Mark.CHANGE), "delete": ("-", Mark.REMOVE)}


@dataclass(frozen=True)
class Planned:
    """One reading of the chat: what is live, what is wanted, and the way from one to the other."""

    cloud: Cloud
    live: Live
    wanted: State
    plan: Plan
    addresses: Addresses

    @property
    def deployed(self) -> bool:
        """Whether there is an API, without which there is no chat."""
        return bool(self.live.api_id)


def planned(app: App, *, lenient: bool = False) -> Planned:
    """Reads AWS and plans. Raises ChatError for what is in the way, and boto3's errors.

    Where it is `lenient`, what is in the way of a name is told in `addresses`, and nothing planned for it.
    """
    from nwchatctl.deploy.addresses import addresses
    from nwchatctl.deploy.desired import desired
    from nwchatctl.deploy.model.pairs import pairs
    from nwchatctl.deploy.model.unknown import API_ID, HISTORY_API_ID
    from nwchatctl.deploy.planner import plan
    from nwchatctl.deploy.safety import refuse_foreign, refuse_other_keys

    cloud = app.cloud
    live = cloud.read()
    names = addresses(
        cloud.wanted_names(),
        live.facts,
        live.state,
        cloud.where,
        pairs({**app.settings.tags, **cloud.names.tags}),
        cloud.names.tags,
        app.now_ms(),
    )
    if names.problems and not lenient:
        raise names.problems[0]
    wanted = desired(
        app.settings,
        cloud.where,
        cloud.package.sha256,
        live.api_id or API_ID,
        live.history_id or HISTORY_API_ID,
        names.resources,
    )
    refuse_foreign([each for each in live.foreign if each in wanted], app.settings.chat.name)
    # What is left of the foreign is nothing that this chat needs.
    live = live.ours()
    changes = plan(wanted, live.state)
    refuse_other_keys(changes)
    return Planned(cloud, live, wanted, changes, names)


def endpoints(app: App, api_id: str) -> dict[str, str | None]:
    """Where clients go, as far as was read; None for what this chat has not."""
    from nwchatctl.deploy.history_api import STAGE as HISTORY_STAGE

    name, stage = app.settings.domain.name, app.settings.stage.name
    where, history_id = app.cloud.where, app.cloud.history.id
    roots = app.cloud.domains.roots
    history = None
    if history_id and app.settings.history.enabled:
        own = app.settings.history.domain
        mapped = roots.get(own) == (history_id, HISTORY_STAGE)
        history = f"https://{own}" if mapped else where.history_url(history_id)
    return {
        "websocket": where.websocket_url(api_id, stage) if api_id else None,
        "history": history,
        "domain": f"wss://{name}/" if api_id and roots.get(name) == (api_id, stage) else None,
    }


def unread(app: App) -> tuple[str, ...]:
    """A warning for allowed origins whose pages API Gateway lets read no history."""
    from nwchatctl.deploy.history_api import unreadable_from

    left_out = unreadable_from(app.settings.chat.allowed_origins) if app.settings.history.enabled else ()
    if not left_out:
        return ()
    return (f"pages of {', '.join(left_out)} cannot read the history API: it knows http and https only",)


def whereabouts(app: App) -> dict[str, object]:
    """The keys that name the chat in every report."""
    where = app.cloud.where
    return {
        "chat": app.settings.chat.name,
        "stage": app.settings.stage.name,
        "account": where.account,
        "region": where.region,
    }


def not_deployed(app: App) -> ChatError:
    """The error of every command that needs the chat to be there."""
    where = app.cloud.where
    return ChatError(
        f"chat {app.settings.chat.name} is not deployed in account {where.account}, {where.region}",
        hint=app.command("deploy"),
        code="not_deployed",
        exit_code=Exit.NOT_FOUND,
    )


def require_api(app: App) -> str:
    """The deployed API's id. Raises ChatError `not_deployed`, exit 4."""
    api_id = app.cloud.gateway.ids.api or app.cloud.find_api()
    if not api_id:
        raise not_deployed(app)
    return api_id


def as_json(changes: Iterable[Change]) -> list[dict[str, object]]:
    """Changes as the contract has them; `fields` is a list of `{"name", "before", "after"}`."""
    from nwchatctl.deploy.changes import changed_key, fields

    return [
        {
            "action": each.action,
            "kind": changed_key(each)[0],
            "name": changed_key(each)[1],
            "fields": [
                {"name": field.name, "before": field.before or None, "after": field.after or None}
                for field in fields(each)
            ],
        }
        for each in changes
    ]


def as_lines(changes: Sequence[Change], *, verbose: bool = False) -> tuple[Line, ...]:
    """The plan for a person: a line a resource, and one more for each further attribute that changes.

    `verbose` shows the attributes of what will be made as well, and every value whole.
    """
    return tuple(line for each in changes for line in _lines(each, verbose))


def _lines(change: Change, verbose: bool) -> list[Line]:
    from nwchatctl.deploy.changes import changed_key, fields

    sign, mark = _SIGNS[change.action]
    kind, name = changed_key(change)
    head = f"{sign} {kind} {name}"
    if change.action != "update":
        shown = fields(change) if verbose else ()
        return [Line(head, mark), *(Line(f"    {each.name} {each.after}", mark) for each in shown)]
    texts = [
        f"{each.name} {_short(each.before, verbose)} → {_short(each.after, verbose)}"
        for each in fields(change)
    ]
    first, *more = texts
    return [Line(f"{head}  {first}", mark), *(Line(f"    {each}", mark) for each in more)]


def _short(value: str, verbose: bool) -> str:
    if not value:
        return "(none)"
    return value if verbose or len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"


def summary(changes: Sequence[Change]) -> str:
    """`3 to create, 1 to update`, or that there is nothing to do."""
    counts = [(verb, sum(each.action == verb for each in changes)) for verb in ("create", "update", "delete")]
    said = ", ".join(f"{count} to {verb}" for verb, count in counts if count)
    return said or "nothing to do: the chat is as configured"
