"""Reads the chat and plans what would bring it to its configuration: `plan`, `deploy`, `status`, `adopt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.consequences import Addresses, Consequence, consequences
from nwchatctl.deploy.desired.account_needs import account_warnings as of_account
from nwchatctl.deploy.desired.account_needs import kept_networks, kept_reservations, refuse_reservation
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.desired.function_environment import refuse_large_environments
from nwchatctl.deploy.desired.functions import FANOUT, with_kept_reservations
from nwchatctl.deploy.desired.history_api import STAGE as HISTORY_STAGE
from nwchatctl.deploy.desired.history_api import unreadable_from
from nwchatctl.deploy.domains.plan import DnsRecordToCreate, DomainPlans, plan_domains
from nwchatctl.deploy.kept_logs import keep_logs
from nwchatctl.deploy.model.functions import Function
from nwchatctl.deploy.model.placeholders import API_ID, HISTORY_API_ID
from nwchatctl.deploy.model.string_map import string_map
from nwchatctl.deploy.planner import Plan, plan
from nwchatctl.deploy.protections import keep_all_protections
from nwchatctl.deploy.safety import refuse_foreign, refuse_large_policies, refuse_other_keys

if TYPE_CHECKING:
    from nwchatctl.aws.cloud import Cloud
    from nwchatctl.context import App
    from nwchatctl.deploy.live import Live
    from nwchatctl.deploy.model.state import State


@dataclass(frozen=True)
class Planned:
    """One reading of the chat: what is live, what is wanted, and the way from one to the other."""

    cloud: Cloud
    live: Live
    wanted: State
    plan: Plan
    domains: DomainPlans
    kept_logs: tuple[str, ...] = ()
    """A line about each log that was set by hand and is kept."""

    @property
    def dns_records(self) -> tuple[DnsRecordToCreate, ...]:
        """The records that the operator has to create where the DNS is hosted elsewhere, as far as their
        targets are known by now."""
        targets = self.cloud.domains.targets
        return tuple(
            record
            for plan in self.domains.plans
            for record in plan.to_create(targets.get(plan.config.name, ("", ""))[0])
        )


def read_and_plan(app: App, *, lenient: bool = False) -> Planned:
    """Reads AWS and plans. Raises ChatError for what prevents a deploy, and boto3's errors.

    With `lenient`, the problems of a domain are in `domains.problems`, and nothing is planned for it.
    """
    cloud = app.cloud
    cloud.reads_limits = True
    live = cloud.read()
    domains = plan_domains(
        cloud.domain_configs(),
        live.facts,
        live.state,
        cloud.location,
        string_map({**app.settings.tags, **cloud.names.tags}),
        cloud.names.tags,
        app.now_ms(),
    )
    if domains.problems and not lenient:
        raise domains.problems[0]
    wanted = desired_state(
        app.settings,
        cloud.location,
        cloud.package.sha256,
        live.api_id or API_ID,
        live.history_id or HISTORY_API_ID,
        domains.resources,
        live.state,
    )
    refuse_foreign([each for each in live.foreign if each in wanted], app.settings.chat.name, cloud.location)
    # What is left of the foreign is nothing that this chat needs.
    live = live.only_own()
    wanted = keep_all_protections(wanted, live.state, live.rows.tag_keys)
    wanted = with_kept_reservations(wanted, live.state, app.settings)
    logs = app.settings.logs
    kept = keep_logs(
        wanted,
        live.state,
        cloud.names.access_log,
        access=logs.access == "keep",
        execution=logs.execution == "keep",
    )
    if not lenient:
        refuse_large_environments(each for each in wanted.values() if isinstance(each, Function))
        refuse_reservation(app.settings, live.limits, _reserved_now(live, cloud))
    changes = plan(kept.wanted, live.state)
    refuse_other_keys(changes)
    if not lenient:
        refuse_large_policies(changes)
    return Planned(cloud, live, kept.wanted, changes, domains, kept.texts)


def addresses(app: App, live: Live) -> Addresses:
    """The addresses of the live APIs."""
    return Addresses(app.cloud.location, live.api_id, live.history_id)


def consequences_of(app: App, found: Planned, changes: Plan | None = None) -> tuple[Consequence, ...]:
    """What the plan, or a part of it, means for players and data."""
    changed = (found.plan if changes is None else changes).changes
    return consequences(changed, found.wanted, found.live.state, addresses(app, found.live))


def endpoints(app: App, api_id: str) -> dict[str, str | None]:
    """The URLs that clients connect to, as far as they were read; None for those that this chat lacks."""
    name, stage = app.settings.domain.name, app.settings.stage.name
    where, history_id = app.cloud.location, app.cloud.history_api.id
    roots = app.cloud.domains.root_mappings
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


def origins_without_history(app: App) -> tuple[str, ...]:
    """A warning for allowed origins whose pages cannot read the history API; empty for none."""
    left_out = unreadable_from(app.settings.chat.allowed_origins) if app.settings.history.enabled else ()
    if not left_out:
        return ()
    return (f"pages of {', '.join(left_out)} cannot read the history API: it knows http and https only",)


def account_warnings(app: App, found: Planned) -> tuple[str, ...]:
    """What the settings need beyond the limits of the account and its Region, and what is kept as it was set
    by hand."""
    functions = [each for each in found.wanted.values() if isinstance(each, Function)]
    reserved, region = _reserved_now(found.live, found.cloud), found.cloud.location.region
    return (
        *of_account(app.settings, region, found.live.limits, reserved),
        *kept_reservations(functions, app.settings),
        *kept_networks(functions, app.settings),
    )


def _reserved_now(live: Live, cloud: Cloud) -> int:
    """The reserved concurrency of fanout as it is, 0 for none."""
    fanout = live.state.get((Function.kind, cloud.names.function(FANOUT)))
    return (fanout.reserved_concurrency or 0) if isinstance(fanout, Function) else 0


def chat_identity(app: App) -> dict[str, object]:
    """The keys that name the chat in every report."""
    where = app.cloud.location
    return {
        "chat": app.settings.chat.name,
        "stage": app.settings.stage.name,
        "account": where.account,
        "region": where.region,
    }
