"""Hosted zones and their records, as Route 53 spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nwchatctl.aws.core.retry import error_code, wait_until, with_retries
from nwchatctl.deploy.domains.facts import FoundRecord, Zone
from nwchatctl.deploy.model.domains import DnsRecord
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

INSYNC_SECONDS = 180.0
"""How long Route 53 may take to propagate a change; "generally within 60 seconds"
(ChangeResourceRecordSets)."""

VALIDATION_TTL = 300

_ROUTING_FIELDS = (
    *("SetIdentifier", "Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer"),
    *("HealthCheckId", "CidrRoutingConfig", "GeoProximityLocation", "TrafficPolicyInstanceId"),
)
"""Fields of a record with a routing policy or a health check, or of a traffic policy."""


class Zones:
    """Reads hosted zones and records, and changes single records: one batch each, which Route 53 applies
    completely or not at all."""

    def __init__(self, client: Route53Client) -> None:
        self._client = client

    def list_all(self) -> tuple[Zone, ...]:
        """All hosted zones of the account."""
        found: list[Zone] = []
        marker: dict[str, Any] = {}
        while True:
            response: Any = with_retries(self._client.list_hosted_zones, **marker)
            for each in response["HostedZones"]:
                private = bool(each.get("Config", {}).get("PrivateZone"))
                name = each["Name"].rstrip(".").lower()
                found.append(Zone(each["Id"].rpartition("/")[2], name, private))
            if not response.get("IsTruncated"):
                return tuple(found)
            marker = {"Marker": response["NextMarker"]}

    def records_at(self, zone: str, name: str) -> tuple[FoundRecord, ...]:
        """All records at `name` in the zone, of any type; none if the zone does not exist."""
        found: list[FoundRecord] = []
        start: dict[str, Any] = {"StartRecordName": name}
        while True:
            try:
                response: Any = with_retries(
                    self._client.list_resource_record_sets, HostedZoneId=zone, **start
                )
            except self._client.exceptions.NoSuchHostedZone:
                return ()
            matching = [each for each in response["ResourceRecordSets"] if _normalized(each["Name"]) == name]
            found += [_record(zone, each) for each in matching]
            # Records are sorted by name.
            if len(matching) < len(response["ResourceRecordSets"]) or not response.get("IsTruncated"):
                return tuple(found)
            next_start = {
                "StartRecordName": response.get("NextRecordName"),
                "StartRecordType": response.get("NextRecordType"),
                "StartRecordIdentifier": response.get("NextRecordIdentifier"),
            }
            start = {key: value for key, value in next_start.items() if value}

    def put(self, before: DnsRecord | None, after: DnsRecord) -> None:
        """Replaces the alias `before` by `after`, and waits until Route 53 has propagated it.

        Raises ChatError `record_taken` if another record is there now.
        """
        old = [_change("DELETE", _alias(before))] if before else []
        try:
            self._commit(after.zone, [*old, _change("CREATE", _alias(after))])
        except ClientError as error:
            if error_code(error) != "InvalidChangeBatch":
                raise
            # Either an attempt whose response was lost did it, or another client changed the record.
            existing = [each for each in self.records_at(after.zone, after.domain) if each.type == after.type]
            if not existing:
                self._commit(after.zone, [_change("CREATE", _alias(after))])
            elif not all(_matches(each, after) for each in existing):
                raise ChatError(
                    f"{after.name} was changed meanwhile in hosted zone {after.zone}",
                    hint="run `nwchatctl plan` to see what stands there now",
                    code="record_taken",
                ) from error

    def delete(self, record: DnsRecord) -> None:
        """Deletes the alias; a missing or changed record is no error."""
        self._remove(record.zone, _alias(record), wait=True)

    def add_validation(self, zone: str, name: str, value: str) -> None:
        """Creates a certificate's validation record; an existing one is no error."""
        try:
            self._commit(zone, [_change("CREATE", _cname(name, value))], wait=False)
        except ClientError as error:
            if error_code(error) != "InvalidChangeBatch":
                raise
            if not self.has_validation(zone, name, value):
                raise ChatError(
                    f"{name} leads elsewhere already in hosted zone {zone}, and ACM wants a CNAME {value}",
                    hint="delete that record, or give a certificate of your own (certificate_arn)",
                    code="record_taken",
                ) from error

    def has_validation(self, zone: str, name: str, value: str) -> bool:
        """Whether the validation record exists in the zone."""
        return any(
            each.type == "CNAME" and each.values == (_normalized(value),)
            for each in self.records_at(zone, name)
        )

    def remove_validation(self, zone: str, name: str, value: str) -> None:
        """Deletes a validation record as the tool wrote it; a missing or changed record is no error."""
        self._remove(zone, _cname(name, value), wait=False)

    def _remove(self, zone: str, record_set: dict[str, Any], *, wait: bool) -> None:
        try:
            self._commit(zone, [_change("DELETE", record_set)], wait=wait)
        except self._client.exceptions.NoSuchHostedZone:
            return
        except ClientError as error:
            # "it was not found", "values provided do not match the current values"
            if error_code(error) != "InvalidChangeBatch":
                raise

    def _commit(self, zone: str, changes: list[Any], *, wait: bool = True) -> None:
        made = with_retries(
            self._client.change_resource_record_sets, HostedZoneId=zone, ChangeBatch={"Changes": changes}
        )
        if wait:
            change = made["ChangeInfo"]["Id"]
            wait_until(
                lambda: self._client.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC",
                f"Route 53 has not spread the change of {changes[-1]['ResourceRecordSet']['Name']}",
                INSYNC_SECONDS,
            )


def _change(action: str, record_set: dict[str, Any]) -> dict[str, Any]:
    return {"Action": action, "ResourceRecordSet": record_set}


def _alias(record: DnsRecord) -> dict[str, Any]:
    return {
        "Name": record.domain,
        "Type": record.type,
        "AliasTarget": {
            "HostedZoneId": record.target_zone,
            "DNSName": record.target,
            "EvaluateTargetHealth": record.evaluate_health,
        },
    }


def _cname(name: str, value: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "CNAME",
        "TTL": VALIDATION_TTL,
        "ResourceRecords": [{"Value": value}],
    }


def _matches(found: FoundRecord, wanted: DnsRecord) -> bool:
    have = (found.target, found.target_zone, found.evaluate_health, found.plain)
    return have == (wanted.target, wanted.target_zone, wanted.evaluate_health, True)


def _normalized(text: str) -> str:
    return text.rstrip(".").lower()


def _record(zone: str, found: Any) -> FoundRecord:
    alias = found.get("AliasTarget", {})
    return FoundRecord(
        zone=zone,
        name=_normalized(found["Name"]),
        type=found["Type"],
        target=_normalized(alias.get("DNSName", "")),
        target_zone=alias.get("HostedZoneId", ""),
        evaluate_health=bool(alias.get("EvaluateTargetHealth")),
        plain=not any(each in found for each in _ROUTING_FIELDS),
        values=tuple(_normalized(each["Value"]) for each in found.get("ResourceRecords", ())),
    )
