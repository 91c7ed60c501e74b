"""Each wrong certificate, zone and other's thing has its own error, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.console import domains as by
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.sandbox import Sandbox

NAME, ZONE = "chat.refused.example", "refused.example"
REGION = DEFAULT_REGION


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-refused", tmp_path_factory.mktemp("home"), NWCHAT_DOMAIN__NAME=NAME)
    yield made
    assert made.resources() == set()


def arn(region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:acm:{region}:{account}:certificate/0123"


Settings = dict[str, str]


@dataclass(frozen=True)
class Case:
    """`make` puts something there and gives settings that are wrong because of it, and its removal."""

    id: str
    make: Callable[[Operator], tuple[Settings, Callable[[], object]]]
    code: str
    message: str
    hint: str
    saying: dict[str, Any] = field(default_factory=dict)


def setting(**settings: str) -> Callable[[Operator], tuple[Settings, Callable[[], object]]]:
    return lambda _: ({f"NWCHAT_DOMAIN__{key}": value for key, value in settings.items()}, lambda: None)


def given(*names: str) -> Callable[[Operator], tuple[Settings, Callable[[], object]]]:
    def make(chat: Operator) -> tuple[Settings, Callable[[], object]]:
        made = by.certificate(chat, *names)
        gone = lambda: chat.root("acm").delete_certificate(CertificateArn=made)  # noqa: E731
        return {"NWCHAT_DOMAIN__CERTIFICATE_ARN": made}, gone

    return make


def zoned(*names: str, private: bool = False, id_of: str = "") -> Any:
    """These zones, and domain.zone_id that of `id_of`."""

    def make(chat: Operator) -> tuple[Settings, Callable[[], object]]:
        made = [(each, by.make_zone(chat, each, private=private)) for each in names]
        chosen = {"NWCHAT_DOMAIN__ZONE_ID": dict(made)[id_of]} if id_of else {}

        def gone() -> None:
            for _, zone in made:
                by.drop_zone(chat, zone)

        return chosen, gone

    return make


def recorded(*records: Any) -> Any:
    def make(chat: Operator) -> tuple[Settings, Callable[[], object]]:
        zone = by.make_zone(chat, ZONE)
        for each in records:
            by.change(chat, zone, "CREATE", each)
        return {}, lambda: by.drop_zone(chat, zone)

    return make


def somebodys_domain(chat: Operator, **tags: str) -> Callable[[], object]:
    made = by.certificate(chat, NAME)
    chat.api.create_domain_name(
        DomainName=NAME,
        DomainNameConfigurations=[{"CertificateArn": made, "EndpointType": "REGIONAL"}],
        Tags=tags,
    )

    def gone() -> None:
        chat.api.delete_domain_name(DomainName=NAME)
        chat.root("acm").delete_certificate(CertificateArn=made)

    return gone


def taken(chat: Operator) -> tuple[Settings, Callable[[], object]]:
    return {}, somebodys_domain(chat, **{"nwchat:chat": "another"})


def mapped(chat: Operator) -> tuple[Settings, Callable[[], object]]:
    """Ours by its tags, and leading to somebody's API."""
    gone = somebodys_domain(chat, **chat.tags)
    api = chat.api.create_api(Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a")
    chat.api.create_stage(ApiId=api["ApiId"], StageName="live")
    chat.api.create_api_mapping(DomainName=NAME, ApiId=api["ApiId"], Stage="live")
    return {}, lambda: (gone(), chat.api.delete_api(ApiId=api["ApiId"]))


WEIGHTED = {"SetIdentifier": "half", "Weight": 1}
ELSEWHERE = "d-1.execute-api.eu-west-1.amazonaws.com"
OURS = f"d-1.execute-api.{REGION}.amazonaws.com"
SET = f"set domain.certificate_arn to one in {REGION}"

# fmt: off
CASES = (
    Case("missing", setting(CERTIFICATE_ARN=arn()), "certificate_missing", "there is no certificate", SET),
    Case("region", setting(CERTIFICATE_ARN=arn("us-west-2")), "certificate_region",
         f"the certificate for {NAME} is in us-west-2, the API in {REGION}", SET),
    Case("account", setting(CERTIFICATE_ARN=arn(account="111122223333")), "certificate_account",
         f"is account 111122223333's, the API {ACCOUNT}'s", SET),
    Case("pending", given(NAME), "certificate_pending", "waits for its validation", "CNAME",
         {"Status": "PENDING_VALIDATION"}),
    Case("expired", given(NAME), "certificate_expired", "has expired", SET, {"Status": "EXPIRED"}),
    Case("past", given(NAME), "certificate_expired", "has expired", SET,
         {"NotAfter": datetime(2020, 1, 1, tzinfo=UTC)}),
    Case("revoked", given(NAME), "certificate_revoked", "was revoked", SET, {"Status": "REVOKED"}),
    Case("failed", given(NAME), "certificate_failed", "was refused", SET, {"Status": "FAILED"}),
    Case("timed-out", given(NAME), "certificate_timed_out", "72 hours", SET,
         {"Status": "VALIDATION_TIMED_OUT"}),
    Case("inactive", given(NAME), "certificate_inactive", "is inactive", SET, {"Status": "INACTIVE"}),
    Case("other-name", given("refused.example", "*.chat.refused.example"), "certificate_name",
         f"is for refused.example, *.chat.refused.example, and not for {NAME}", SET),
    Case("zone-missing", setting(ZONE_ID="Z0"), "zone_missing", "there is no hosted zone Z0",
         "set domain.zone_id"),
    Case("zone-private", zoned(ZONE, private=True, id_of=ZONE), "zone_private", "is private",
         "set domain.zone_id"),
    Case("zone-name", zoned("other.example", id_of="other.example"), "zone_name",
         f"is other.example's, and {NAME} is not in that", "set domain.zone_id"),
    Case("zone-ambiguous", zoned(ZONE, ZONE), "zone_ambiguous",
         "2 public hosted zones are named refused.example", "set domain.zone_id"),
    Case("zone-private-only", zoned(ZONE, private=True), "zone_private_only",
         f"only private hosted zones match {NAME}", 'set domain.zone_id to "none"'),
    Case("address", recorded(by.address(NAME)), "record_taken", "A 192.0.2.1", "delete that record"),
    Case("address-6", recorded(by.address(NAME, "2001:db8::1", "AAAA")), "record_taken", "AAAA 2001:db8::1",
         "delete that record"),
    Case("cname", recorded(by.address(NAME, "x.example.", "CNAME")), "record_taken", "CNAME x.example",
         "delete that record"),
    Case("alias", recorded(by.alias(NAME, ELSEWHERE)), "record_taken",
         f"{NAME} leads to API Gateway in eu-west-1 already", "one name leads to one Region"),
    Case("weighted", recorded({**by.alias(NAME, OURS), **WEIGHTED}),
         "record_taken", "(one of several)", "delete that record"),
    Case("domain", taken, "domain_taken", f"the domain name {NAME} is there already, and not this chat's",
         f"aws apigatewayv2 tag-resource --resource-arn arn:aws:apigateway:{REGION}::/domainnames/{NAME} "
         "--tags nwchat:chat=e2e-refused,nwchat:managed-by=nwchatctl"),
    Case("mapping", mapped, "mapping_taken", f"{NAME} leads to API", "delete that mapping"),
)
# fmt: on


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_refused_and_nothing_is_changed(operator: Operator, case: Case) -> None:
    settings, remove = case.make(operator)
    saying: AbstractContextManager[None] = (
        by.acm_answers(operator, **case.saying) if case.saying else nullcontext()
    )
    try:
        with saying:
            for argv in (("plan",), ("deploy", "--yes")):
                ran = operator.run(*argv, **settings)
                assert (ran.code, ran.writes) == (1, [])
                assert ran.error is not None
                assert ran.error.code == case.code
                assert case.message in ran.error.message
                assert case.hint in ran.error.hint
    finally:
        remove()


def test_every_reason_has_its_own_code() -> None:
    assert len({each.code for each in CASES}) >= 17
