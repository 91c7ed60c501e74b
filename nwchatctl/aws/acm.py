"""Certificates, as ACM spells them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nwchatctl.aws import acm_details
from nwchatctl.aws.acm_details import VALIDATION_ZONE_TAG
from nwchatctl.aws.core.parallel import StartRead
from nwchatctl.aws.core.retry import wait_until, with_retries
from nwchatctl.aws.core.tagged_deletion import delete_tagged
from nwchatctl.aws.core.tags import from_list, tag_changes, to_list
from nwchatctl.deploy.domains.facts import ISSUED, PENDING, FoundCertificate
from nwchatctl.deploy.model.domains import Certificate
from nwchatctl.deploy.model.string_map import StringMap
from nwchatctl.deploy.names import MANAGED_TAG
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient

    from nwchatctl.aws.route53 import Zones

RECORD_SECONDS = 60.0
"""How long ACM may take to publish the validation record; usually seconds (DescribeCertificate)."""

ISSUE_SECONDS = 900.0
"""How long a deploy waits for a validation. It takes minutes, "up to 30" (ACM DNS validation); the next
deploy continues to wait."""

EXTERNAL_DNS_SECONDS = 60.0
"""The wait if the operator has to create the validation record outside Route 53 and may not have done so
yet."""

UNUSED_SECONDS = 1200.0
"""How long ACM may report a certificate as in use after its domain was deleted; as terraform-provider-aws."""

_KEY_TYPES: list[Any] = [
    *("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096"),
    *("EC_prime256v1", "EC_secp384r1", "EC_secp521r1"),
]
"""All key types: by default ListCertificates returns only the first two."""


class Certificates:
    """Reads, requests and deletes certificates; creates their validation records in `zones`.

    `nonce` is unique to this run: within one run a repeated request makes one certificate. A later run needs
    another token, because within an hour ACM might return the certificate of the earlier request even if it
    was deleted. `arns` maps a domain name to the ARN of the chat's certificate that was read or requested.
    """

    def __init__(self, client: ACMClient, zones: Zones, nonce: str) -> None:
        self._client = client
        self._zones = zones
        self._nonce = nonce
        self.arns: dict[str, str] = {}

    # Reading ----------------------------------------------------------------------------------

    def list_all(self) -> list[Any]:
        """Summaries of all certificates of this account and Region that have a domain name; a private or
        imported certificate may have none."""
        found: list[Any] = []
        token: dict[str, Any] = {}
        while True:
            response: Any = with_retries(
                self._client.list_certificates, Includes={"keyTypes": _KEY_TYPES}, MaxItems=1000, **token
            )
            found += [each for each in response["CertificateSummaryList"] if each.get("DomainName")]
            if not response.get("NextToken"):
                return found
            token = {"NextToken": response["NextToken"]}

    def read(
        self, summaries: Iterable[Any], names: frozenset[str], arns: frozenset[str], start: StartRead
    ) -> list[FoundCertificate]:
        """The certificates that may cover `names`, those with an ARN in `arns`, and the chat's own.

        Tags are read only of certificates that may be the chat's own: issued by Amazon, and for one of the
        names or not in use.
        """
        summaries_by_arn = {each["CertificateArn"]: each for each in summaries}
        tag_reads = {
            arn: start(self.tags, arn)
            for arn, each in summaries_by_arn.items()
            if each.get("Type", "AMAZON_ISSUED") == "AMAZON_ISSUED"
            and (each["DomainName"] in names or not each.get("InUse", True))
        }
        tags = {arn: read() for arn, read in tag_reads.items()}
        to_describe = {
            *arns,
            *(arn for arn, found in tags.items() if dict(found).get(MANAGED_TAG[0])),
            *(arn for arn, each in summaries_by_arn.items() if acm_details.is_truncated(each)),
        }
        describes = {arn: start(self.describe, arn) for arn in sorted(to_describe)}
        descriptions = summaries_by_arn | {arn: read() for arn, read in describes.items()}
        return [
            acm_details.found_certificate(descriptions[arn], tags.get(arn, ()))
            for arn in sorted(descriptions)
            if descriptions[arn]
            and (arn in arns or arn in tags or acm_details.covers_any(descriptions[arn], names))
        ]

    def tags(self, arn: str) -> StringMap:
        """A certificate's tags; none if the certificate does not exist."""
        try:
            found = self._client.list_tags_for_certificate(CertificateArn=arn)
        except self._client.exceptions.ResourceNotFoundException:
            return ()
        return from_list(found.get("Tags", []))

    def describe(self, arn: str) -> Any:
        """The result of DescribeCertificate; None if the certificate does not exist."""
        try:
            return self._client.describe_certificate(CertificateArn=arn)["Certificate"]
        except self._client.exceptions.ResourceNotFoundException:
            return None

    # Changing ---------------------------------------------------------------------------------

    def create(self, certificate: Certificate) -> None:
        """Requests the certificate, validates it, and waits until it is issued. Raises the errors of
        `_validate`."""
        token = hashlib.sha256(f"{certificate.name} {certificate.tags} {self._nonce}".encode()).hexdigest()
        arn = with_retries(
            self._client.request_certificate,
            DomainName=certificate.name,
            ValidationMethod="DNS",
            IdempotencyToken=token[:32],
            Tags=to_list(certificate.tags),
        )["CertificateArn"]
        self._validate(certificate, arn, again=False)

    def update(self, before: Certificate, after: Certificate) -> None:
        """Updates tags, creates the validation record if it is missing, and waits. Raises the errors of
        `_validate`."""
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.add_tags_to_certificate, CertificateArn=before.arn, Tags=to_list(put))
        if dropped:
            with_retries(
                self._client.remove_tags_from_certificate,
                CertificateArn=before.arn,
                Tags=[{"Key": name} for name in dropped],
            )
        if (before.status, before.validation_zone) != (after.status, after.validation_zone):
            self._validate(after, before.arn, again=True)

    def delete(self, certificate: Certificate) -> None:
        """Deletes the certificate once ACM reports it as unused, and before it the validation record that the
        tool created, unless another certificate needs that record. A missing certificate is no error.

        Raises ChatError `certificate_in_use` if another resource of the account uses it.
        """
        details: Any = None

        def is_unused() -> bool:
            nonlocal details
            details = self.describe(certificate.arn) or {}
            if users := acm_details.users_in_account(details):
                raise ChatError(
                    f"the certificate {certificate.arn} is in use by {', '.join(users)}",
                    hint="run the command again: it leaves the certificate alone",
                    code="certificate_in_use",
                )
            return not details.get("InUseBy")

        in_use = f"ACM says that the certificate {certificate.arn} is in use"
        wait_until(is_unused, in_use, UNUSED_SECONDS)
        records = acm_details.validation_records(details) if certificate.record else ()
        if records and not self._is_record_shared(certificate, records):
            for name, value in records:
                self._zones.remove_validation(certificate.validation_zone, name, value)

        def is_deleted() -> bool:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                try:
                    delete_tagged(
                        lambda: self._client.delete_certificate(CertificateArn=certificate.arn),
                        lambda: self.describe(certificate.arn) is not None,
                    )
                except self._client.exceptions.ResourceInUseException:
                    return False
            return True

        wait_until(is_deleted, in_use, UNUSED_SECONDS)

    def _is_record_shared(self, certificate: Certificate, records: StringMap) -> bool:
        """Whether another certificate of this account has the same validation record. If it is the chat's
        own, the record is marked as created for it."""
        own_tags = {each for each in certificate.tags if each[0].startswith("nwchat:")}
        shared = False
        for each in self.list_all():
            arn = each["CertificateArn"]
            names = {one.removeprefix("*.") for one in acm_details.domain_names(each)}
            if arn == certificate.arn or not (
                acm_details.is_truncated(each) or names & set(certificate.covers)
            ):
                continue
            if set(records) & set(acm_details.validation_records(with_retries(self.describe, arn) or {})):
                shared = True
                if own_tags <= set(with_retries(self.tags, arn)):
                    self._tag_zone(arn, certificate.validation_zone)
        return shared

    def _tag_zone(self, arn: str, zone: str) -> None:
        tag: Any = {"Key": VALIDATION_ZONE_TAG, "Value": zone}
        with_retries(self._client.add_tags_to_certificate, CertificateArn=arn, Tags=[tag])

    def _validate(self, wanted: Certificate, arn: str, *, again: bool) -> None:
        """Creates the validation record and waits until the certificate is issued.

        Raises ChatError `certificate_unvalidated` if the operator has to create its record, and
        `certificate_pending` if validation takes too long.
        """
        self.arns[wanted.name] = arn
        wait_until(
            lambda: self._has_records(arn),
            f"ACM has not said yet which record validates {wanted.name}",
            RECORD_SECONDS,
        )
        details = with_retries(self.describe, arn) or {}
        if wanted.validation_zone:
            self._write_records(
                wanted.validation_zone, arn, acm_details.validation_records(details), again=again
            )
        elif details.get("Status") == PENDING and not again:
            raise _unvalidated(wanted.name, details)
        seconds = ISSUE_SECONDS if wanted.validation_zone else EXTERNAL_DNS_SECONDS
        try:
            wait_until(lambda: self._is_issued(wanted.name, arn), "", seconds)
        except ChatError as error:
            if error.code != "timeout":
                raise
            if not wanted.validation_zone:
                raise _unvalidated(wanted.name, details) from error
            raise ChatError(
                f"ACM has not issued the certificate for {wanted.name} within {seconds / 60:.0f} minutes",
                hint="run the command again: it goes on from here. If it lasts, see that the name's "
                f"registrar leads to hosted zone {wanted.validation_zone}",
                code="certificate_pending",
            ) from error

    def _has_records(self, arn: str) -> bool:
        details = self.describe(arn)
        if details is None:
            return False
        options = details.get("DomainValidationOptions", [])
        has_all_records = bool(options) and all("ResourceRecord" in each for each in options)
        return has_all_records or details["Status"] != PENDING

    def _is_issued(self, name: str, arn: str) -> bool:
        details = self.describe(arn)
        if details is not None and details["Status"] in (ISSUED, PENDING):
            return bool(details["Status"] == ISSUED)
        why = (details.get("FailureReason") or details["Status"]) if details else "it was deleted meanwhile"
        raise ChatError(
            f"ACM issues no certificate for {name}: {why}",
            hint="run the command again: it requests another. After CAA_ERROR, first let the zone's CAA "
            "record name amazon.com",
            code="certificate_failed",
        )

    def _write_records(self, zone: str, arn: str, records: StringMap, *, again: bool) -> None:
        missing = [each for each in records if not self._zones.has_validation(zone, *each)]
        if missing:
            before = dict(with_retries(self.tags, arn)).get(VALIDATION_ZONE_TAG, zone) if again else zone
            if before != zone:
                # Before the tag with the old zone is overwritten.
                for each in records:
                    self._zones.remove_validation(before, *each)
            # The tag comes first: without it the tool would never delete the record.
            self._tag_zone(arn, zone)
        for name, value in missing:
            self._zones.add_validation(zone, name, value)


def _unvalidated(name: str, details: Any) -> ChatError:
    records = "; ".join(
        f"{record} CNAME {value}" for record, value in acm_details.validation_records(details)
    )
    return ChatError(
        f"the certificate for {name} waits for its validation record: {records}",
        hint="create it where the name's DNS lives, and run deploy again: it goes on from there",
        code="certificate_unvalidated",
    )
