"""Applies changes: a resource's kind decides which adapter is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from nwchatctl.aws.adapters import Adapters
from nwchatctl.aws.core.retry import with_retries
from nwchatctl.deploy.changes import Change, Create, Delete, Update
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.functions import Alias, AsyncInvoke, Function, Permission, Role, Version
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.placeholders import CERTIFICATE_ARN, DOMAIN_TARGET, DOMAIN_ZONE, with_api_id
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource
from nwchatctl.deploy.model.storage import LogGroup, Queue, Recovery, Table, TokenKeys
from nwchatctl.deploy.model.string_map import has_tags
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies changes through `adapters`.

    `move_alias` points a live alias at its version; `record_release` stores a release.
    """

    adapters: Adapters
    move_alias: Callable[[Alias], None]
    record_release: Callable[[Release], None]

    def apply(self, change: Change) -> None:
        """Applies one change. Safe to repeat, and to run concurrently with changes that it does not depend
        on."""
        match change:
            case Create(after):
                self._create(self._known(after))
            case Update(before, after):
                self._update(before, self._known(after))
            case Delete(before):
                self._delete(before)

    def _known(self, after: Resource) -> Resource:
        return with_api_id(after, self.adapters.websocket_api.ids.api, self.adapters.history_api.id)

    def _create(self, after: Resource) -> None:
        adapters = self.adapters
        match after:
            case Table():
                adapters.tables.create(after)
            case Recovery():
                adapters.recoveries.create(after)
            case LogGroup():
                adapters.log_groups.create(after)
            case Queue():
                adapters.queues.create(after)
            case Role():
                adapters.roles.create(after)
            case Function() | Version() | Alias() | AsyncInvoke() | Permission():
                self._create_in_lambda(after)
            case HistoryApi():
                adapters.history_api.create(after)
            case TokenKeys():
                adapters.token_keys.create(after)
            case Release():
                self.record_release(after)
            case Certificate() | Domain() | ApiMapping() | DnsRecord():
                self._create_domain(after)
            case _:
                self._create_in_api(after)

    def _create_in_lambda(self, after: Function | Version | Alias | AsyncInvoke | Permission) -> None:
        adapters = self.adapters
        match after:
            case Function():
                adapters.functions.create(after)
            case Version():
                raise AssertionError("a version is published by moving its alias")
            case Alias():
                self.move_alias(after)
            case AsyncInvoke():
                adapters.async_invokes.put(after)
            case Permission():
                adapters.functions.put_permission(after)
            case _:
                assert_never(after)

    def _create_in_api(self, after: Api | Integration | Authorizer | Route | Deployment | Stage) -> None:
        api = self.adapters.websocket_api
        match after:
            case Api():
                api.create_api(after)
            case Integration():
                api.integrations.put(after)
            case Authorizer():
                api.authorizers.put(after)
            case Route():
                api.routes.put(after)
            case Deployment():
                api.deployments.create(after)
            case Stage():
                api.stages.create(after)
            case _:
                assert_never(after)

    def _create_domain(self, after: Certificate | Domain | ApiMapping | DnsRecord) -> None:
        """Creates `after`; its placeholders are replaced by the values that AWS returned for earlier
        changes."""
        adapters = self.adapters
        match after:
            case Certificate():
                adapters.deploy_table.put_requested(after.name)
                adapters.certificates.create(after)
            case Domain():
                own_tags = adapters.names.tags
                adapters.domains.create(self._domain(after), lambda have: has_tags(have.tags, own_tags))
            case ApiMapping():
                adapters.domains.put_mapping(after)
            case DnsRecord():
                adapters.zones.put(None, self._record(after))
            case _:
                assert_never(after)

    def _update(self, before: Resource, after: Resource) -> None:
        adapters = self.adapters
        match before, after:
            case Table(), Table():
                adapters.tables.update(before, after)
            case LogGroup(), LogGroup():
                adapters.log_groups.update(before, after)
            case Queue(), Queue():
                adapters.queues.update(before, after)
            case Role(), Role():
                adapters.roles.update(before, after)
            case Function(), Function():
                adapters.functions.update(before, after)
            case Api(), Api():
                adapters.websocket_api.update_api(before, after)
            case Stage(), Stage():
                adapters.websocket_api.stages.update(before, after)
            case Authorizer(), Authorizer():
                adapters.websocket_api.authorizers.put(after, before)
            case TokenKeys(), TokenKeys():
                adapters.token_keys.update(before, after)
            case HistoryApi(), HistoryApi():
                adapters.history_api.update(after)
            case _:
                self._update_domain(before, after)

    def _update_domain(self, before: Resource, after: Resource) -> None:
        adapters = self.adapters
        match before, after:
            case Certificate(), Certificate():
                adapters.certificates.update(before, after)
            case Domain(), Domain():
                adapters.domains.update(before, self._domain(after))
            case DnsRecord(), DnsRecord():
                adapters.zones.put(before, self._record(after))
            case _:
                # The others are created and changed by the same call.
                self._create(after)

    def _delete(self, before: Resource) -> None:
        """Deletes `before`; a missing resource is no error."""
        adapters = self.adapters
        match before:
            case Table():
                adapters.tables.delete(before)
            case Recovery():
                # AWS deletes it with its table; it is never turned off.
                return
            case LogGroup():
                adapters.log_groups.delete(before)
            case Queue():
                adapters.queues.delete(before)
            case Role():
                adapters.roles.delete(before)
            case Function() | Version() | Alias() | AsyncInvoke() | Permission():
                self._delete_in_lambda(before)
            case TokenKeys():
                adapters.token_keys.delete(before)
            case Release():
                adapters.deploy_table.delete_release(before)
            case HistoryApi():
                adapters.history_api.delete(before)
            case Certificate() | Domain() | ApiMapping() | DnsRecord():
                self._delete_domain(before)
            case _:
                self._delete_in_api(before)

    def _delete_in_lambda(self, before: Function | Version | Alias | AsyncInvoke | Permission) -> None:
        functions = self.adapters.functions
        match before:
            case Function():
                functions.delete(before)
            case Version():
                functions.delete_version(before)
            case Permission():
                functions.delete_permission(before)
            case Alias() | AsyncInvoke():
                # AWS deletes them with their function.
                return
            case _:
                assert_never(before)

    def _delete_in_api(self, before: Api | Integration | Authorizer | Route | Deployment | Stage) -> None:
        api = self.adapters.websocket_api
        match before:
            case Api():
                api.delete_api(before)
            case Integration():
                api.integrations.delete(before)
            case Authorizer():
                api.authorizers.delete(before)
            case Route():
                api.routes.delete(before)
            case Deployment():
                api.deployments.delete(before)
            case Stage():
                api.stages.delete(before)
            case _:
                assert_never(before)

    def _delete_domain(self, before: Certificate | Domain | ApiMapping | DnsRecord) -> None:
        adapters = self.adapters
        match before:
            case Certificate():
                adapters.certificates.delete(before)
                # A certificate that does not cover its name is a duplicate; the request that is recorded is
                # another one.
                if before.name in before.covers:
                    adapters.deploy_table.delete_requested(before.name)
            case Domain():
                adapters.domains.delete(before)
            case ApiMapping():
                adapters.domains.delete_mapping(before)
            case DnsRecord():
                with_retries(adapters.zones.delete, before)
            case _:
                assert_never(before)

    def _domain(self, domain: Domain) -> Domain:
        if domain.certificate != CERTIFICATE_ARN:
            return domain
        return dataclasses.replace(domain, certificate=self.adapters.certificates.arns[domain.name])

    def _record(self, record: DnsRecord) -> DnsRecord:
        target, zone = self.adapters.domains.targets.get(record.domain, ("", ""))
        return dataclasses.replace(
            record,
            target=record.target.replace(DOMAIN_TARGET, target),
            target_zone=record.target_zone.replace(DOMAIN_ZONE, zone),
        )
