"""What a name needs, by values: certificate, zone, records, and the order in which all of it is made."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.config import Settings
from nwchatctl.config.settings import DomainSettings
from nwchatctl.deploy.changes import Create, Delete, Update, fields
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.domains.facts import (
    DomainConfig,
    DomainFacts,
    FoundCertificate,
    FoundMapping,
    FoundRecord,
    Zone,
    domain_configs,
    is_gateway_target,
    kept_keys,
    live_resources,
)
from nwchatctl.deploy.domains.plan import DnsRecordToCreate, DomainPlan, DomainPlans, plan_domains
from nwchatctl.deploy.domains.zones import zones_of
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.placeholders import API_ID, CERTIFICATE_ARN, DOMAIN_TARGET, HISTORY_API_ID
from nwchatctl.deploy.model.state import Key, State, key, state
from nwchatctl.deploy.partial import limit_plan
from nwchatctl.deploy.planner import Plan, plan
from nwchatctl.deploy.safety import plan_destroy
from nwchatctl.errors import ChatError

NAME, NOW = "chat.ninjawars.net", 1_000
PLACE = Location("123456789012", "us-east-2")
OWN = {"nwchat:chat": "x", "nwchat:managed-by": "nwchatctl"}
TAGS = tuple(sorted(OWN.items()))
ZONE = Zone("Z1", "ninjawars.net", False)
WANT = DomainConfig(NAME, "", "", False, API_ID, "production", "domain.name")
TARGET = "d-1.execute-api.us-east-2.amazonaws.com"
DOMAIN = Domain(
    *(NAME, "arn:1", "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", TAGS),
    target=TARGET,
    target_zone="ZAWS",
)
CERTIFICATE = FoundCertificate("arn:1", NAME, (NAME,), "ISSUED", 9_000, TAGS, (("_x", "_y"),), "Z1", True)
FOUND = FoundCertificate("arn:found", NAME, (NAME,), "ISSUED", 9_000)
MAPPING = FoundMapping(NAME, "", "abc", "production")
ALIAS = FoundRecord("Z1", NAME, "A", TARGET, "ZAWS", False, True)
WHOLE = DomainFacts((DOMAIN,), (MAPPING,), (CERTIFICATE,), (ZONE,), (ALIAS,), frozenset({"abc"}))


def live_of(facts: DomainFacts, *wanted: DomainConfig) -> State:
    return state(*live_resources(facts, zones_of(wanted or (WANT,), facts.zones), OWN, PLACE))


def answered(facts: DomainFacts, *wanted: DomainConfig, now_ms: int = NOW) -> DomainPlans:
    names = wanted or (WANT,)
    return plan_domains(names, facts, live_of(facts, *names), PLACE, TAGS, OWN, now_ms)


def answer(facts: DomainFacts, want: DomainConfig = WANT, now_ms: int = NOW) -> DomainPlan:
    found = answered(facts, want, now_ms=now_ms)
    assert not found.problems, found.problems[0]
    return found.plans[0]


def planned(facts: DomainFacts, *wanted: DomainConfig) -> Plan:
    """The plan of the chat and its names, of which the chat itself is there as wanted."""
    settings, live = Settings(), live_of(facts, *wanted)
    chat = desired_state(settings, PLACE, "code", "abc")
    named = answered(facts, *wanted).resources if wanted else ()
    return plan(desired_state(settings, PLACE, "code", "abc", domain_resources=named), {**chat, **live})


def keys(found: Plan) -> list[tuple[str, Key]]:
    return [
        (each.action, key(each.before if isinstance(each, Delete) else each.after)) for each in found.changes
    ]


def with_(**changes: Any) -> DomainFacts:
    return dataclasses.replace(WHOLE, **changes)


# All of it ------------------------------------------------------------------------------------


def test_the_settings_name_the_chat() -> None:
    settings = Settings(domain=DomainSettings(name=NAME, zone_id="Z1", dual_stack=True))
    assert domain_configs(settings) == (dataclasses.replace(WANT, zone_id="Z1", dual_stack=True),)
    assert domain_configs(Settings()) == ()


def test_first_certificate_then_domain_then_mapping_then_record() -> None:
    found = planned(DomainFacts(zones=(ZONE,)), WANT)
    certificate, domain = ("certificate", NAME), ("domain", NAME)
    mapping, record = ("mapping", NAME), ("record", f"{NAME} A")
    assert keys(found) == [("create", each) for each in (certificate, domain, mapping, record)]
    assert found.after == {
        certificate: frozenset(),
        domain: {certificate},
        mapping: {domain},
        record: {domain, mapping},
    }
    made = [each.after for each in found.changes if isinstance(each, Create)]
    assert isinstance(made[1], Domain)
    assert isinstance(made[3], DnsRecord)
    assert (made[1].certificate, made[3].target) == (CERTIFICATE_ARN, DOMAIN_TARGET)
    shown = {each.name: each.after for each in fields(found.changes[3])}
    assert shown["target"] == "(known after the domain is made)"


def test_first_deploy_creates_chat_first_when_validation_is_manual() -> None:
    whole = desired_state(Settings(), PLACE, "code", domain_resources=answered(DomainFacts()).resources)
    found = plan(whole, {})
    (release,) = (each for each in whole if each[0] == "release")
    assert found.after["certificate", NAME] == {release}
    assert found.after["domain", NAME] == {release, ("certificate", NAME)}
    assert ("stage", "production") in found.after["mapping", NAME]


def test_equal_domain_gives_empty_plan() -> None:
    assert keys(planned(WHOLE, WANT)) == []


def test_removed_domain_is_deleted_record_first() -> None:
    found = planned(WHOLE)
    certificate, domain = ("certificate", NAME), ("domain", NAME)
    mapping, record = ("mapping", NAME), ("record", f"{NAME} A")
    assert keys(found) == [("delete", each) for each in (certificate, domain, mapping, record)]
    assert found.after[record] == frozenset()
    assert found.after[mapping] == {record}
    assert found.after[domain] == {record, mapping}
    assert found.after[certificate] == {domain}


def test_old_domain_is_deleted_after_new_one_is_ready() -> None:
    other = dataclasses.replace(WANT, name="talk.ninjawars.net")
    found = planned(WHOLE, other)
    coming = {each for action, each in keys(found) if action == "create"}
    assert len(coming) == 4
    for where in (("record", f"{NAME} A"), ("mapping", NAME), ("domain", NAME)):
        assert coming <= found.after[where]


def test_destroying_goes_from_the_record_to_the_certificate() -> None:
    chat = desired_state(Settings(), PLACE, "code", "abc")
    found, _ = plan_destroy({**chat, **live_of(WHOLE)}, deploys="x", delete_data=False, keep_logs=False)
    order = [each for _, each in keys(found)]
    places = [
        order.index(each)
        for each in (
            *(("record", f"{NAME} A"), ("mapping", NAME), ("domain", NAME)),
            *(("stage", "production"), ("api", "nwchat-ninjawars"), ("certificate", NAME)),
        )
    ]
    assert places == sorted(places)
    assert ("domain", NAME) in found.after["stage", "production"]


# Whose it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({}, True),
        ({"target": "d-2.execute-api.us-east-2.amazonaws.com"}, True),
        ({"target": "d-2.execute-api.us-east-1.amazonaws.com"}, False),
        ({"target": "x.cloudfront.net"}, False),
        ({"target": "", "values": ("192.0.2.1",)}, False),
        ({"plain": False}, False),
        ({"type": "HTTPS"}, False),
    ],
)
def test_alias_is_owned_when_target_is_own_or_missing(changes: dict[str, Any], is_ours: bool) -> None:
    facts = with_(records=(dataclasses.replace(ALIAS, **changes),))
    assert (("record", f"{NAME} A") in live_of(facts)) == is_ours
    refused = bool(answered(facts).problems)
    assert refused == (not is_ours and changes.get("type") != "HTTPS")


def test_name_that_leads_to_another_region_is_refused_with_that_region() -> None:
    elsewhere = dataclasses.replace(ALIAS, target="d-2.execute-api.eu-west-1.amazonaws.com")
    (problem,) = answered(with_(domains=(), records=(elsewhere,))).problems
    assert (problem.code, problem.message) == (
        "record_taken",
        f"{NAME} leads to API Gateway in eu-west-1 already",
    )
    assert "delete that record" not in problem.hint
    assert ("record", f"{NAME} A") not in live_of(with_(domains=(), records=(elsewhere,)))


def test_an_alias_to_another_domain_of_the_account_is_not_ours() -> None:
    other = dataclasses.replace(
        DOMAIN, name="other.net", tags=(), target="d-2.execute-api.us-east-2.amazonaws.com"
    )
    facts = with_(domains=(DOMAIN, other), records=(dataclasses.replace(ALIAS, target=other.target),))
    assert [each.code for each in answered(facts).problems] == ["record_taken"]


def test_alias_with_missing_target_is_repaired_but_not_deleted() -> None:
    """The domain may be in another account, which only making ours would tell."""
    facts = with_(domains=(), mappings=())
    live = live_of(facts)
    assert ("record", f"{NAME} A") in kept_keys(live, {})
    found = planned(facts, WANT)
    assert keys(found) == [
        *(("create", ("domain", NAME)), ("create", ("mapping", NAME))),
        ("update", ("record", f"{NAME} A")),
    ]
    assert ("domain", NAME) in found.after["record", f"{NAME} A"]
    assert [each for _, each in keys(planned(facts)) if each[0] == "record"] == []


def test_unwanted_alias_with_missing_target_is_deleted_after_domain_is_created() -> None:
    six = dataclasses.replace(ALIAS, type="AAAA")
    found = planned(with_(domains=(), mappings=(), records=(ALIAS, six)), WANT)
    assert ("delete", ("record", f"{NAME} AAAA")) in keys(found)
    assert ("domain", NAME) in found.after["record", f"{NAME} AAAA"]


def test_a_domain_of_ours_that_is_edge_optimised_is_refused() -> None:
    facts = with_(domains=(dataclasses.replace(DOMAIN, endpoint_type="EDGE"),))
    assert [each.code for each in answered(facts).problems] == ["domain_edge"]


def test_alias_of_foreign_domain_is_not_changed() -> None:
    facts = with_(domains=(dataclasses.replace(DOMAIN, tags=()),), certificates=())
    assert live_of(facts) == {}
    (problem,) = answered(facts).problems
    assert problem.code == "domain_taken"
    assert "--tags nwchat:chat=x,nwchat:managed-by=nwchatctl" in problem.hint


def test_mapping_to_foreign_api_is_refused() -> None:
    theirs = dataclasses.replace(MAPPING, api="theirs")
    assert [each.code for each in answered(with_(mappings=(theirs,))).problems] == ["mapping_taken"]
    assert answered(with_(mappings=(MAPPING, dataclasses.replace(theirs, key="v2")))).problems == ()


def test_mapping_to_other_api_of_chat_is_refused() -> None:
    facts = with_(apis=frozenset({"abc", "h"}), history="h")
    assert answered(facts).problems == ()
    history = dataclasses.replace(WANT, api=HISTORY_API_ID, stage="$default", setting="history.domain")
    (problem,) = answered(facts, history).problems
    assert (problem.code, "history.domain" in problem.hint) == ("mapping_other_api", True)
    turned = dataclasses.replace(facts, mappings=(dataclasses.replace(MAPPING, api="h"),))
    assert answered(turned, history).problems == ()
    assert [each.code for each in answered(turned).problems] == ["mapping_other_api"]


@pytest.mark.parametrize("kind", ["certificate", "domain", "mapping"])
def test_deleting_only_one_kind_of_a_domain_is_refused(kind: str) -> None:
    found = planned(WHOLE)
    with pytest.raises(ChatError) as caught:
        limit_plan(found, {(kind, NAME)})
    assert caught.value.code == "only_incomplete"
    assert limit_plan(found, found.after.keys()) == found
    record = ("record", f"{NAME} A")
    assert limit_plan(found, {record}).after == {record: frozenset()}


def test_target_of_api_gateway() -> None:
    assert is_gateway_target("d-1.execute-api.us-east-2.amazonaws.com", PLACE)
    assert not is_gateway_target("d-1.execute-api.us-east-2.amazonaws.com.evil.net", PLACE)
    assert not is_gateway_target("d-1.execute-api.us-east-2.amazonawsxcom", PLACE)
    europe = Location("1", "eusc-de-east-1", partition="aws-eusc", dns_suffix="amazonaws.eu")
    assert is_gateway_target("d-1.execute-api.eusc-de-east-1.amazonaws.eu", europe)
    assert not is_gateway_target("d-1.execute-api.eusc-de-east-1.amazonaws.com", europe)


def test_an_alias_of_ours_in_another_zone_than_is_wanted_goes() -> None:
    deeper = Zone("Z2", "chat.ninjawars.net", False)
    facts = with_(zones=(ZONE, deeper))
    changes = keys(planned(facts, WANT))
    assert ("create", ("record", f"{NAME} A")) in changes
    assert ("delete", ("record", f"{NAME} A in Z1")) in changes


def test_shared_domain_is_kept_with_its_resources() -> None:
    theirs = FoundMapping(NAME, "v2", "theirs", "live")
    facts = with_(mappings=(MAPPING, theirs))
    assert keys(planned(facts)) == [("delete", ("mapping", NAME))]
    chat = desired_state(Settings(), PLACE, "code", "abc")
    found, left = plan_destroy({**chat, **live_of(facts)}, deploys="x", delete_data=True, keep_logs=False)
    assert {("domain", NAME), ("certificate", NAME), ("record", f"{NAME} A")} <= set(left)
    assert ("delete", ("mapping", NAME)) in keys(found)
    # One whose API is gone is nobody's.
    assert len(keys(planned(with_(mappings=(MAPPING, dataclasses.replace(theirs, api_deleted=True)))))) == 4


def test_a_certificate_that_something_else_uses_too_is_left() -> None:
    facts = with_(certificates=(dataclasses.replace(CERTIFICATE, shared=True),))
    assert ("delete", ("certificate", NAME)) not in keys(planned(facts))
    _, left = plan_destroy(live_of(facts), deploys="x", delete_data=True, keep_logs=False)
    assert left == (("certificate", NAME),)


def test_mapping_to_deleted_api_is_repaired() -> None:
    facts = with_(mappings=(dataclasses.replace(MAPPING, api="old", api_deleted=True),))
    (change,) = planned(facts, WANT).changes
    assert change == Update(ApiMapping(NAME, "old", "production"), ApiMapping(NAME, "abc", "production"))


def test_domain_with_problem_is_not_changed() -> None:
    facts = with_(zones=(ZONE, dataclasses.replace(ZONE, id="Z9")))
    found = answered(facts)
    assert [each.code for each in found.problems] == ["zone_ambiguous"]
    assert keys(planned(facts, WANT)) == []


# Certificates ---------------------------------------------------------------------------------


def chosen(*certificates: FoundCertificate, want: DomainConfig = WANT, now_ms: int = NOW) -> tuple[str, str]:
    found = answer(with_(certificates=certificates), want, now_ms)
    return found.source, found.certificate.arn if found.certificate else ""


def of(arn: str, *covers: str, **changes: Any) -> FoundCertificate:
    return dataclasses.replace(FOUND, arn=arn, name=covers[0], covers=covers, **changes)


def test_valid_certificate_of_domain_is_kept() -> None:
    longer = of("arn:0", NAME, not_after_ms=99_000)
    wild = of("arn:1", "*.ninjawars.net")
    assert chosen(longer, wild) == ("found", "arn:1")
    assert chosen(longer, wild, now_ms=9_000) == ("found", "arn:0")
    assert chosen(longer, dataclasses.replace(wild, status="REVOKED")) == ("found", "arn:0")
    assert chosen(longer, of("arn:1", "*.chat.ninjawars.net")) == ("found", "arn:0")


def test_certificate_choice_prefers_own_then_exact_then_longest_valid() -> None:
    wild = of("arn:a", "*.ninjawars.net", not_after_ms=99_000)
    exact, longer = of("arn:b", "other.net", NAME), of("arn:c", NAME, not_after_ms=50_000)
    own = dataclasses.replace(CERTIFICATE, arn="arn:own")
    assert chosen(wild, exact, longer, own) == ("requested", "arn:own")
    assert chosen(wild, exact, longer) == ("found", "arn:c")
    assert chosen(wild, exact) == ("found", "arn:b")
    assert chosen(wild) == ("found", "arn:a")


def test_pending_certificate_is_not_requested_again() -> None:
    pending = dataclasses.replace(CERTIFICATE, arn="arn:p", status="PENDING_VALIDATION", not_after_ms=None)
    assert chosen(pending) == ("requested", "arn:p")
    found = planned(with_(certificates=(pending,)), WANT)
    assert keys(found) == [("update", ("certificate", NAME)), ("update", ("domain", NAME))]
    assert found.after["domain", NAME] == {("certificate", NAME)}
    # Nobody else's.
    assert chosen(dataclasses.replace(pending, tags=())) == ("requested", "")


@pytest.mark.parametrize("status", ["FAILED", "VALIDATION_TIMED_OUT", "EXPIRED", "REVOKED", "INACTIVE"])
def test_unusable_own_certificate_is_replaced(status: str) -> None:
    bad = dataclasses.replace(CERTIFICATE, status=status)
    found = planned(with_(certificates=(bad,)), WANT)
    old = ("certificate", f"{NAME} arn:1")
    assert keys(found) == [
        ("create", ("certificate", NAME)),
        ("delete", old),
        ("update", ("domain", NAME)),
    ]
    assert found.after[old] == {("domain", NAME)}


def test_own_certificate_in_use_is_chosen_among_two() -> None:
    second = dataclasses.replace(CERTIFICATE, arn="arn:0")
    assert chosen(second, CERTIFICATE) == ("requested", "arn:1")
    assert keys(planned(with_(certificates=(second, CERTIFICATE)), WANT)) == [
        ("delete", ("certificate", f"{NAME} arn:0"))
    ]


def test_ours_stays_when_it_is_given_by_its_arn() -> None:
    arn = "arn:aws:acm:us-east-2:123456789012:certificate/1"
    own = dataclasses.replace(CERTIFICATE, arn=arn)
    facts = with_(certificates=(own,), domains=(dataclasses.replace(DOMAIN, certificate=arn),))
    assert keys(planned(facts, dataclasses.replace(WANT, certificate_arn=arn))) == []


def test_a_validation_record_that_is_gone_is_written_again() -> None:
    facts = with_(certificates=(dataclasses.replace(CERTIFICATE, validation_zone="", record=False),))
    (change,) = planned(facts, WANT).changes
    assert isinstance(change, Update)
    assert isinstance(change.before, Certificate)
    assert [(each.name, each.before, each.after) for each in fields(change)] == [
        ("validation_zone", "", "Z1")
    ]


@pytest.mark.parametrize("why", ["private", "acme", "cloudfront"])
def test_what_api_gateway_or_browsers_cannot_use_is_not_found_and_refused_when_given(why: str) -> None:
    arn = "arn:aws:acm:us-east-2:123456789012:certificate/1"
    bad = of(arn, NAME, unusable=why)
    assert chosen(bad, of("arn:a", "*.ninjawars.net")) == ("found", "arn:a")
    (problem,) = answered(with_(certificates=(bad,)), dataclasses.replace(WANT, certificate_arn=arn)).problems
    assert problem.code == f"certificate_{why}"


def test_a_domain_that_is_not_available_is_waited_for() -> None:
    facts = with_(domains=(dataclasses.replace(DOMAIN, status="PENDING_OWNERSHIP_VERIFICATION"),))
    (change,) = planned(facts, WANT).changes
    assert [(each.name, each.after) for each in fields(change)] == [("status", "AVAILABLE")]


# Zones and records ----------------------------------------------------------------------------


def test_the_longest_zone_that_matches_label_by_label() -> None:
    zones = (
        Zone("Z0", "net", False),
        ZONE,
        Zone("Z2", "jawars.net", False),
        Zone("Z3", "chat.ninjawars.net", True),
        Zone("Z4", "wars.net", False),
    )
    assert answer(DomainFacts(zones=zones)).zone == "Z1"
    apex = dataclasses.replace(WANT, name="ninjawars.net")
    assert answer(DomainFacts(zones=zones), apex).zone == "Z1"
    assert answer(DomainFacts(zones=zones), dataclasses.replace(WANT, zone_id="Z0")).zone == "Z0"
    assert answer(DomainFacts(zones=zones), dataclasses.replace(WANT, zone_id="none")).zone == ""
    assert answer(DomainFacts(zones=(zones[2],))).zone == ""


def test_a_zone_that_delegates_the_name_is_refused() -> None:
    servers = dataclasses.replace(ALIAS, type="NS", target="", values=("ns1.example.net",))
    facts = with_(records=(servers,))
    assert [each.code for each in answered(facts).problems] == ["zone_delegated"]
    own = dataclasses.replace(WHOLE, zones=(dataclasses.replace(ZONE, name=NAME),), records=(servers, ALIAS))
    assert answered(own).problems == ()


@pytest.mark.parametrize(
    ("at", "codes"),
    [
        ("team.ninjawars.net", ["zone_delegated"]),
        ("chat.team.ninjawars.net", ["zone_delegated"]),
        ("eam.ninjawars.net", []),
        ("ninjawars.net", []),
    ],
)
def test_a_zone_that_delegates_what_the_name_is_in_is_refused(at: str, codes: list[str]) -> None:
    servers = FoundRecord("Z1", at, "NS", "", "", False, True, ("ns1.example.net",))
    deep = dataclasses.replace(WANT, name="chat.team.ninjawars.net")
    found = answered(DomainFacts(zones=(ZONE,), records=(servers,)), deep)
    assert [each.code for each in found.problems] == codes


def test_a_name_that_is_too_long_for_a_certificate_of_its_own_needs_another() -> None:
    long = dataclasses.replace(WANT, name=f"{'a' * 51}.ninjawars.net")
    assert [each.code for each in answered(DomainFacts(zones=(ZONE,)), long).problems] == [
        "certificate_name_too_long"
    ]
    wild = dataclasses.replace(FOUND, covers=("*.ninjawars.net",))
    assert answered(DomainFacts(zones=(ZONE,), certificates=(wild,)), long).problems == ()
    fits = dataclasses.replace(WANT, name=f"{'a' * 50}.ninjawars.net")
    assert answered(DomainFacts(zones=(ZONE,)), fits).problems == ()


def test_where_dns_lives_elsewhere_the_record_is_known_with_the_domain() -> None:
    assert answer(DomainFacts()).to_create() == ()
    assert answer(DomainFacts()).to_create(TARGET) == (DnsRecordToCreate(NAME, "CNAME", TARGET),)
    assert answer(with_(zones=(), records=())).to_create() == (DnsRecordToCreate(NAME, "CNAME", TARGET),)
    apex = dataclasses.replace(WANT, name="ninjawars.net")
    assert answer(DomainFacts(), apex).to_create(TARGET) == (
        DnsRecordToCreate("ninjawars.net", "ALIAS", TARGET),
    )
    assert answer(WHOLE).to_create(TARGET) == ()
    pending = dataclasses.replace(CERTIFICATE, status="PENDING_VALIDATION")
    facts = DomainFacts(certificates=(pending,))
    assert answer(facts).to_create() == (DnsRecordToCreate("_x", "CNAME", "_y"),)


def test_dual_stack_asks_for_both_records() -> None:
    want = dataclasses.replace(WANT, dual_stack=True)
    assert keys(planned(WHOLE, want)) == [
        ("update", ("domain", NAME)),
        ("create", ("record", f"{NAME} AAAA")),
    ]
    six = dataclasses.replace(ALIAS, type="AAAA")
    facts = with_(records=(ALIAS, six))
    assert ("delete", ("record", f"{NAME} AAAA")) in keys(planned(facts, WANT))


def test_refusals_say_the_setting_of_the_name_that_they_are_about() -> None:
    want = dataclasses.replace(WANT, setting="history.domain", zone_id="Z7")
    (problem,) = answered(WHOLE, want).problems
    assert isinstance(problem, ChatError)
    assert "history.zone_id" in problem.hint
