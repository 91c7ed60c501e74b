"""Certificates as ACM handles them; ministack 1.5.33 issues each at once and deletes certificates in use.

Sources: ACM's API reference (RequestCertificate, DeleteCertificate), "DNS validation" in its user guide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import acm, apigateway_v1, route53

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches.iam_checks import json_object

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
OWN_TAG = ("nwchat:managed-by", "nwchatctl")
_TOKEN = "_idempotency_token"  # noqa: S105 - the name of a field, no secret
_REQUESTED_AT, _VALIDATED_AT = "_requested_at", "_validated_at"
"""Fields of a certificate here, in epoch seconds."""
_DATES = ("IssuedAt", "NotBefore", "NotAfter")

_handle = acm.handle_request


async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """Handles a request to ACM. On AWS a certificate is pending until its validation record is found. Here
    that applies to nwchatctl's certificates; for other certificates the record is assumed to exist. A
    certificate without a hosted zone here for its record is issued at once: its DNS is elsewhere."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    data = json_object(body)
    arn = data.get("CertificateArn", "")
    _issue_validated()
    if action == "RequestCertificate" and (known := _find_request(data)):
        return json_response({"CertificateArn": known})
    if action == "DeleteCertificate" and domains_using(arn):
        message = f"Certificate {arn} in account {arn.split(':')[4]} is in use."
        return error_response_json("ResourceInUseException", message, 400)
    status, response_headers, response_body = await _handle(method, path, headers, body, query)
    if status != 200 or action not in _RESPONSE_CHANGES:
        return status, response_headers, response_body
    response = json.loads(response_body)
    _RESPONSE_CHANGES[action](response, data)
    return json_response(response)


def domains_using(arn: str) -> list[str]:
    """The ARNs of the domain names that use a certificate."""
    return [
        f"arn:aws:apigateway:{arn.split(':')[3]}::/domainnames/{name}"
        for name, each in apigateway_v1._domain_names.items()
        if arn in (each.get("regionalCertificateArn"), each.get("certificateArn"))
    ]


def _find_request(data: dict[str, Any]) -> str:
    """The ARN of the certificate that was requested with this token for this name, "" for none."""
    token = data.get("IdempotencyToken")
    for arn, each in acm._certificates.items():
        if token and (each.get(_TOKEN), each["DomainName"]) == (token, data.get("DomainName")):
            return str(arn)
    return ""


def _after_request(response: Any, data: Any) -> None:
    certificate = acm._certificates[response["CertificateArn"]]
    certificate[_TOKEN] = data.get("IdempotencyToken")
    certificate[_REQUESTED_AT] = time.time()
    if OWN_TAG in {(each["Key"], each.get("Value")) for each in certificate.get("Tags", [])}:
        certificate["Status"] = PENDING
        for each in certificate["DomainValidationOptions"]:
            each["ValidationStatus"] = PENDING
        # The next call would find an existing record.


def _after_describe(response: Any, _: Any) -> None:
    certificate = response["Certificate"]
    certificate["InUseBy"] = [*certificate.get("InUseBy", []), *domains_using(certificate["CertificateArn"])]
    if certificate["Status"] == PENDING:
        for name in _DATES:
            certificate.pop(name, None)
        if not _has_record(acm._certificates[certificate["CertificateArn"]]):
            for option in certificate["DomainValidationOptions"]:
                option.pop("ResourceRecord", None)


def _after_list(response: Any, _: Any) -> None:
    for each in response["CertificateSummaryList"]:
        certificate = acm._certificates[each["CertificateArn"]]
        each["SubjectAlternativeNameSummaries"] = certificate["SubjectAlternativeNames"]
        each["HasAdditionalSubjectAlternativeNames"] = False
        each["Type"] = certificate["Type"]
        each["KeyAlgorithm"] = "RSA_2048"
        each["InUse"] = bool(domains_using(each["CertificateArn"]))
        if each["Status"] != PENDING:
            each["NotAfter"] = acm._epoch(certificate["NotAfter"])


_RESPONSE_CHANGES = {
    "RequestCertificate": _after_request,
    "DescribeCertificate": _after_describe,
    "ListCertificates": _after_list,
}


def _has_record(certificate: Any) -> bool:
    """Whether ACM shows the validation record by now, which takes as long as the rule `certificate_record`
    says."""
    seconds = limits.current().value("certificate_record")
    return seconds is None or time.time() >= certificate.get(_REQUESTED_AT, 0.0) + seconds


def _is_issued(certificate: Any) -> bool:
    """Whether ACM has issued the certificate by now: some time after it was validated (the rule
    `certificate_issued`)."""
    if not _has_record(certificate) or not all(map(_is_validated, certificate["DomainValidationOptions"])):
        certificate.pop(_VALIDATED_AT, None)
        return False
    seconds = limits.current().value("certificate_issued")
    validated_at = certificate.setdefault(_VALIDATED_AT, time.time())
    return seconds is None or time.time() >= validated_at + seconds


def _issue_validated() -> None:
    """Issues pending certificates whose records exist by now."""
    for each in acm._certificates.values():
        if each["Status"] == PENDING and _is_issued(each):
            each["Status"] = ISSUED
            each["IssuedAt"] = each["NotBefore"] = acm.now_iso()
            for option in each["DomainValidationOptions"]:
                option["ValidationStatus"] = "SUCCESS"


def _is_validated(option: Any) -> bool:
    name, value = (option["ResourceRecord"][key].rstrip(".") for key in ("Name", "Value"))
    zones = [each for each in route53._zones.values() if not each.get("private")]
    matching = [each for each in zones if f".{name}".endswith(f".{each['name'].rstrip('.')}")]
    return not matching or any(
        record["Type"] == "CNAME"
        and record["Name"].rstrip(".") == name
        and value in {each.rstrip(".") for each in record.get("ResourceRecords", [])}
        for record in _records(matching)
    )


def _records(zones: Any) -> Iterator[Any]:
    for each in zones:
        yield from route53._records.get(each["id"], [])


def install() -> None:
    acm.handle_request = handle_request
