"""Consequences of a plan: who is disconnected, which addresses stop working, what is lost.

A list of changes does not say so. Commands name the consequences before they ask, and in `--json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nwchatctl.deploy.changes import Change, Create, Delete, Update, changed_key
from nwchatctl.deploy.desired.history_api import HISTORY
from nwchatctl.deploy.desired.history_api import STAGE as HISTORY_STAGE
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import ApiMapping, DnsRecord, Domain
from nwchatctl.deploy.model.functions import Alias, Function
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Route, Stage
from nwchatctl.deploy.token_switch import restricts_connections

AGREES = "--yes"
"""The option that agrees to a consequence without a question."""

OPENS = "--open"
"""The same for letting everybody in: a script's --yes was given for the harmless."""

CONFIRMS = "--confirm"
"""The same, with the chat's name, for losing data."""

_NAMED = 5
"""Names that a text lists; the rest are counted."""

_ADMITTING = (
    Alias.kind,
    Authorizer.kind,
    Deployment.kind,
    Function.kind,
    HistoryApi.kind,
    Route.kind,
    Stage.kind,
)
"""The kinds of resources that decide who can connect, write and read."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """One consequence. `code` is stable, for scripts. `flag` is the option that agrees to it without a
    question (`AGREES`, `OPENS` or `CONFIRMS`), "" if none is asked."""

    code: str
    text: str
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ids of the live APIs, "" for none, and where they are."""

    location: Location
    api_id: str
    history_id: str

    def websocket(self, stage: str) -> str:
        """The address that clients connect to."""
        return self.location.websocket_url(self.api_id, stage)

    @property
    def history(self) -> str:
        """The history API's address."""
        return self.location.history_url(self.history_id)


def consequences(
    changes: Sequence[Change], wanted: State, live: State, where: Addresses
) -> tuple[Consequence, ...]:
    """The consequences of the `changes` that lead from `live` to `wanted`, or of a part of them."""
    return (
        *_opening(changes, wanted, live),
        *_wider_access(changes),
        *_stages(changes, live, where),
        *_new_api(changes, live),
        *_history(changes, live, where),
        *_domains(changes, wanted),
        *_releases(changes),
        *_logs(changes),
    )


def consequences_of_destroy(
    changes: Sequence[Change], live: State, where: Addresses, deploys: str
) -> tuple[Consequence, ...]:
    """The consequences of a `destroy` that makes the `changes`; `deploys` is the tool's own table."""
    gone = [each.before for each in changes if isinstance(each, Delete)]
    return (
        *_gone_api(gone, live, where),
        *_history(changes, live, where),
        *_domains(changes, {}),
        *_gone_data(gone, deploys),
        *_logs(changes),
    )


def opening(subject: str) -> Consequence:
    """The consequence that the chat asks for no token any more; `subject` is what leads there."""
    text = f"{subject} lets everybody in without a token, under any name"
    return Consequence("opens_chat", text, OPENS)


def _opening(changes: Iterable[Change], wanted: State, live: State) -> Iterator[Consequence]:
    asks = any(isinstance(each, Authorizer) for each in wanted.values())
    admits = any(changed_key(each)[0] in _ADMITTING for each in changes)
    if admits and not asks and restricts_connections(live):
        yield opening("this")


def _wider_access(changes: Iterable[Change]) -> Iterator[Consequence]:
    """Restrictions that were set by hand, and that a deploy takes away."""
    for each in changes:
        match each:
            case Update(HistoryApi(routes=before), HistoryApi(routes=after)):
                wanted = dict(after)
                opened = [name for name, text in before if text != "NONE" and wanted.get(name) == "NONE"]
                if any(not dict(before)[name].startswith("NONE") for name in opened):
                    text = f"everybody can read {_listed(opened)} of the history API without an authorization"
                    yield Consequence("history_opened", text, AGREES)
            case Update(Domain(mutual_tls=before_store), Domain(name=name, mutual_tls="")) if before_store:
                text = f"clients of {name} need no certificate of their own any more"
                yield Consequence("certificates_not_required", text, AGREES)
            case Update(Api(default_endpoint=False), Api(default_endpoint=True)):
                text = "clients can connect at the API's own address again, not only at its domain names"
                yield Consequence("default_endpoint_enabled", text, AGREES)
            case _:
                pass


def _stages(changes: Iterable[Change], live: State, where: Addresses) -> Iterator[Consequence]:
    listed = list(changes)
    made = [each.after.name for each in listed if isinstance(each, Create) and isinstance(each.after, Stage)]
    kept = [each.name for each in live.values() if isinstance(each, ApiMapping) and _is_chat(each)]
    gone = {each.before.name for each in listed if isinstance(each, Delete)}
    names = [f"wss://{each}/" for each in kept if each not in gone]
    for each in listed:
        if not isinstance(each, Delete) or not isinstance(each.before, Stage):
            continue
        text = (
            f"everybody who is connected to stage {each.before.name} is disconnected, and "
            f"{where.websocket(each.before.name)} stops working"
        )
        if made:
            text += f": clients need {' or '.join([where.websocket(made[0]), *names])}"
        yield Consequence("stage_removed", text, AGREES)


def _new_api(changes: Iterable[Change], live: State) -> Iterator[Consequence]:
    is_made = any(isinstance(each, Create) and isinstance(each.after, Api) for each in changes)
    # Before the first release no client knows an address.
    if is_made and any(isinstance(each, Release) for each in live.values()):
        text = "the API is created again and gets another address: clients with the former one cannot connect"
        yield Consequence("address_changes", text, AGREES)


def _history(changes: Iterable[Change], live: State, where: Addresses) -> Iterator[Consequence]:
    had = any(isinstance(each, Release) and _served_history(each) for each in live.values())
    for each in changes:
        match each:
            case Delete(HistoryApi()):
                text = (
                    f"{where.history} stops working: nothing answers GET /messages any more, and a later "
                    "history API gets another address"
                )
                yield Consequence("history_removed", text, AGREES)
            case Create(HistoryApi()) if had:
                text = (
                    "the history API is created again and gets another address: pages with the former one "
                    "cannot read the history"
                )
                yield Consequence("history_address_changes", text, AGREES)
            case _:
                pass


def _domains(changes: Sequence[Change], wanted: State) -> Iterator[Consequence]:
    """The names that lead nowhere afterwards."""
    gone = {
        each.before.name: _address(each.before)
        for each in changes
        if isinstance(each, Delete) and isinstance(each.before, ApiMapping)
    }
    for address in gone.values():
        yield Consequence("domain_removed", f"{address} stops working", AGREES)
    needed = {(each.domain, each.type) for each in wanted.values() if isinstance(each, DnsRecord)}
    for change in changes:
        record = change.before if isinstance(change, Delete) else None
        if not isinstance(record, DnsRecord) or record.domain in gone:
            continue
        if (record.domain, record.type) not in needed:
            text = f"{record.domain} has no {record.type} record any more"
            yield Consequence("record_removed", text, AGREES)


def _releases(changes: Iterable[Change]) -> Iterator[Consequence]:
    """The releases that go with a function; others are only too old."""
    gone = [each.before for each in changes if isinstance(each, Delete)]
    functions = {each.name for each in gone if isinstance(each, Function)}
    lost = [
        each.name
        for each in gone
        if isinstance(each, Release) and functions & {name for name, _ in each.functions}
    ]
    if lost:
        releases = f"release{'' if len(lost) == 1 else 's'} {_listed(lost)}"
        why = f"{_listed(sorted(functions))} {'is' if len(functions) == 1 else 'are'} deleted"
        text = f"a rollback to {releases} is no longer possible, because {why}"
        yield Consequence("releases_lost", text, AGREES)


def _logs(changes: Iterable[Change]) -> Iterator[Consequence]:
    deleted: list[str] = []
    shorter: dict[int, list[str]] = {}
    for each in changes:
        match each:
            case Delete(LogGroup(name=name)):
                deleted.append(name)
            case Update(LogGroup(retention_days=before), LogGroup(name=name, retention_days=after)):
                # 0 keeps them for ever.
                if after and (not before or after < before):
                    shorter.setdefault(after, []).append(name)
            case _:
                pass
    if deleted:
        yield Consequence("logs_deleted", f"the logs in {_listed(deleted)} are deleted", AGREES)
    for days, names in shorter.items():
        text = f"logs older than {days} {'day' if days == 1 else 'days'} are deleted in {_listed(names)}"
        yield Consequence("logs_shortened", text)


def _gone_api(gone: Iterable[object], live: State, where: Addresses) -> Iterator[Consequence]:
    if not any(isinstance(each, Api) for each in gone) or not where.api_id:
        return
    stages = [each.name for each in live.values() if isinstance(each, Stage)]
    addresses = _listed([where.websocket(each) for each in stages]) if stages else "the API"
    text = (
        f"everybody who is connected is disconnected, and {addresses} stops working: a later deploy gets "
        "another address"
    )
    yield Consequence("address_removed", text, AGREES)


def _gone_data(gone: Sequence[object], deploys: str) -> Iterator[Consequence]:
    tables = [each for each in gone if isinstance(each, Table)]
    data = [f"table {each.name}{item_count(each)}" for each in tables if each.name != deploys]
    if data:
        text = f"the data of the chat, with all messages and bans, is deleted for good: {_listed(data)}"
        yield Consequence("data_deleted", text, CONFIRMS)
    if len(data) < len(tables):
        yield Consequence(
            "releases_lost", "the list of releases is deleted: there is nothing to roll back to", AGREES
        )
    if any(isinstance(each, TokenKeys) for each in gone):
        text = "the signing keys are deleted: no token that was issued counts any more"
        yield Consequence("token_keys_deleted", text, AGREES)
    waiting = sum(each.waiting for each in gone if isinstance(each, Queue))
    if waiting:
        text = f"{waiting} undelivered {'segment' if waiting == 1 else 'segments'} of messages are deleted"
        yield Consequence("dead_letters_deleted", text, AGREES)


def item_count(table: Table) -> str:
    """` (about 57 items)`, "" where the count is not known."""
    if table.items is None:
        return ""
    return f" (about {table.items} {'item' if table.items == 1 else 'items'})"


def _is_chat(mapping: ApiMapping) -> bool:
    """Whether the mapping leads to the WebSocket API, whose stage has another name than the history API's."""
    return mapping.stage != HISTORY_STAGE


def _served_history(release: Release) -> bool:
    return any(name.endswith(f"-{HISTORY}") for name, _ in release.functions)


def _address(mapping: ApiMapping) -> str:
    return f"wss://{mapping.name}/" if _is_chat(mapping) else f"https://{mapping.name}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
