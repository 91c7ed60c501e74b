"""Which adapter carries out a change to one of the chat's names, and what AWS only tells while it is made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar, assert_never

from nwchatctl.aws.patience import patiently
from nwchatctl.deploy.model.names import ApiMapping, Certificate, Domain, Record
from nwchatctl.deploy.model.pairs import tagged
from nwchatctl.deploy.model.state import Resource
from nwchatctl.deploy.model.unknown import CERTIFICATE_ARN, DOMAIN_TARGET, DOMAIN_ZONE

if TYPE_CHECKING:
    from nwchatctl.aws.cloud import Cloud

R = TypeVar("R", bound=Resource)


def create(cloud: Cloud, after: Certificate | Domain | ApiMapping | Record) -> None:
    """Makes `after`; what stands in it for something that was made before it is filled in."""
    match after:
        case Certificate():
            cloud.deploys.put_requested(after.name)
            cloud.certificates.create(after)
        case Domain():
            cloud.domains.create(_domain(cloud, after), lambda have: tagged(have.tags, cloud.names.tags))
        case ApiMapping():
            cloud.domains.put_mapping(after)
        case Record():
            cloud.zones.put(None, _record(cloud, after))
        case _:
            assert_never(after)


def update(cloud: Cloud, before: Resource, after: Resource) -> None:
    """Turns `before` into `after`."""
    match before, after:
        case Certificate(), Certificate():
            cloud.certificates.update(before, after)
        case Domain(), Domain():
            cloud.domains.update(before, _domain(cloud, after))
        case Record(), Record():
            cloud.zones.put(before, _record(cloud, after))
        case _:
            raise AssertionError(f"{before.kind} is changed as it is made")


def delete(cloud: Cloud, before: Certificate | Domain | ApiMapping | Record) -> None:
    """Removes `before`; gone already is fine."""
    match before:
        case Certificate():
            cloud.certificates.delete(before)
            # Of one that did not count, the name is another's still.
            if before.name in before.covers:
                cloud.deploys.delete_requested(before.name)
        case Domain():
            cloud.domains.delete(before)
        case ApiMapping():
            cloud.domains.delete_mapping(before)
        case Record():
            patiently(cloud.zones.delete, before)
        case _:
            assert_never(before)


def _domain(cloud: Cloud, domain: Domain) -> Domain:
    if domain.certificate != CERTIFICATE_ARN:
        return domain
    return dataclasses.replace(domain, certificate=cloud.certificates.arns[domain.name])


def _record(cloud: Cloud, record: Record) -> Record:
    target, zone = cloud.domains.targets.get(record.domain, ("", ""))
    return dataclasses.replace(
        record,
        target=record.target.replace(DOMAIN_TARGET, target),
        target_zone=record.target_zone.replace(DOMAIN_ZONE, zone),
    )
