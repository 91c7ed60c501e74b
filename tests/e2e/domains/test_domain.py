"""The chat on a name of its own: certificate, domain, mapping and records, made, kept and taken away."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from websockets.sync.client import connect

from tests.e2e.support.chat import SECONDS, Player, unique
from tests.e2e.support.console import domains as by
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

ZONE = "named.example"
NAME = f"chat.{ZONE}"


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-named", tmp_path_factory.mktemp("home"), NWCHAT_DOMAIN__NAME=NAME)
    zone = by.make_zone(made, ZONE)
    yield made
    made.destroy()
    assert (made.resources(), by.records(made, zone), domains(made), certificates(made)) == (
        set(),
        [],
        {},
        {},
    )
    by.drop_zone(made, zone)


def domains(chat: Operator) -> dict[str, Any]:
    """The domains in the chat's zone, or its own by its tags."""
    found = chat.api.get_domain_names()["Items"]
    return {
        each["DomainName"]: each["DomainNameConfigurations"][0]
        for each in found
        if each["DomainName"].endswith(ZONE) or each["Tags"].get("nwchat:chat") == chat.name
    }


def certificates(chat: Operator) -> dict[str, str]:
    """The names of the certificates in that zone, by ARN."""
    found = chat.root("acm").list_certificates()["CertificateSummaryList"]
    return {each["CertificateArn"]: each["DomainName"] for each in found if each["DomainName"].endswith(ZONE)}


def kinds(changes: Any) -> list[tuple[str, str, str]]:
    names = ("certificate", "domain", "mapping", "record")
    return [(each["action"], each["kind"], each["name"]) for each in changes if each["kind"] in names]


def records(chat: Operator) -> set[tuple[str, str]]:
    return {(each["Name"], each["Type"]) for each in by.records(chat, by.zone_of(chat))}


def test_a_deploy_makes_all_of_it(operator: Operator) -> None:
    done = operator.deploy()
    assert kinds(done["changes"]) == [
        ("create", "certificate", NAME),
        ("create", "domain", NAME),
        ("create", "mapping", NAME),
        ("create", "record", f"{NAME} A"),
    ]
    assert (done["endpoints"]["domain"], done["dns"]) == (f"wss://{NAME}/", [])
    assert operator.json("rollback", done["release"])["endpoints"] == done["endpoints"]
    assert operator.plan() == []
    made = domains(operator)[NAME]
    assert made["CertificateArn"] in certificates(operator)
    assert (made["EndpointType"], made["SecurityPolicy"], made["IpAddressType"]) == (
        "REGIONAL",
        "TLS_1_2",
        "ipv4",
    )
    (mapping,) = operator.api.get_api_mappings(DomainName=NAME)["Items"]
    assert (mapping["ApiId"], mapping["Stage"]) == (operator.api_id, "production")
    assert mapping.get("ApiMappingKey", "") == ""
    (alias,) = (each for each in by.records(operator, by.zone_of(operator)) if each["Type"] == "A")
    assert alias["AliasTarget"] == {
        "HostedZoneId": made["HostedZoneId"],
        "DNSName": f"{made['ApiGatewayDomainName']}.",
        "EvaluateTargetHealth": False,
    }
    assert operator.root("acm").describe_certificate(CertificateArn=made["CertificateArn"])["Certificate"][
        "InUseBy"
    ] == [by.domain_arn(operator)]


def test_players_reach_the_chat_by_its_name(operator: Operator) -> None:
    port = operator.sandbox.port
    with (
        connect(f"ws://{NAME}/", sock=socket.create_connection(("127.0.0.1", port)), proxy=None) as one,
        connect(operator.url, proxy=None, open_timeout=SECONDS) as other,
    ):
        text = unique()
        Player(one).send({"action": "onMessage", "message": text, "uname": "x"})
        assert Player(other).receive_text(text)["message"] == text
    done = operator.json("smoke")
    assert (done["ok"], done["url"]) == (True, f"wss://{NAME}/")


def test_status_shows_domain_state(operator: Operator) -> None:
    lines = operator.run("status", "--all").out.splitlines()
    assert f"domain\twss://{NAME}/" in lines
    assert any(each.startswith(f"chat_cert\t{NAME}: requested, until 20") for each in lines)
    assert f"chat_domain\t{NAME}: available" in lines
    assert f"chat_dns\t{NAME}: alias ok in hosted zone {by.zone_of(operator)}" in lines
    assert f"record/{NAME}/A\tok" in lines


def test_a_bad_certificate_is_a_line_of_the_status_and_an_error_of_the_plan(operator: Operator) -> None:
    bad = "arn:aws:acm:us-west-2:000000000000:certificate/x"
    wrong = {"NWCHAT_DOMAIN__CERTIFICATE_ARN": bad}
    ran = operator.run("status", "--check", "--all", **wrong)
    assert (ran.code, ran.error) == (6, None)
    assert f"problem: the certificate for {NAME} is in us-west-2, the API in us-east-2" in ran.out
    assert f"mapping/{NAME}\tok" in ran.out.splitlines()
    assert "state\tthe domain has a problem" in ran.out.splitlines()
    shown = operator.json("status", **wrong)
    assert [each["code"] for each in shown["problems"]] == ["certificate_region"]
    assert shown["drift"] == []
    ran = operator.run("plan", **wrong)
    assert (ran.code, ran.error and ran.error.code) == (1, "certificate_region")


def test_ipv6_is_a_setting(operator: Operator) -> None:
    changes = operator.deploy(NWCHAT_DOMAIN__DUAL_STACK="1")["changes"]
    assert kinds(changes) == [("update", "domain", NAME), ("create", "record", f"{NAME} AAAA")]
    assert operator.plan(NWCHAT_DOMAIN__DUAL_STACK="1") == []
    assert {each for each in records(operator) if each[1] != "CNAME"} == {
        (f"{NAME}.", "A"),
        (f"{NAME}.", "AAAA"),
    }
    assert kinds(operator.deploy()["changes"]) == [
        ("update", "domain", NAME),
        ("delete", "record", f"{NAME} AAAA"),
    ]


def test_certificate_in_use_is_kept(operator: Operator) -> None:
    """A wildcard of somebody's that is there, and one given: ours goes when the other is used, and not
    before; and what is used then stays when it is no longer given."""
    wildcard = by.certificate(operator, f"*.{ZONE}")
    assert operator.plan() == []
    changes = operator.deploy(NWCHAT_DOMAIN__CERTIFICATE_ARN=wildcard)["changes"]
    assert kinds(changes) == [("delete", "certificate", NAME), ("update", "domain", NAME)]
    assert certificates(operator) == {wildcard: f"*.{ZONE}"}
    assert {each[1] for each in records(operator)} == {"A"}
    exact = by.certificate(operator, NAME)
    assert operator.plan() == []
    assert any(f"\t{NAME}: found, until" in each for each in operator.run("status").out.splitlines())
    # What is used cannot be deleted, and what cannot be used any more is left for what can.
    with by.acm_answers(operator, wildcard, Status="REVOKED"):
        assert kinds(operator.deploy()["changes"]) == [("update", "domain", NAME)]
    assert domains(operator)[NAME]["CertificateArn"] == exact
    # Without any that is good one is requested.
    with (
        by.acm_answers(operator, wildcard, Status="EXPIRED"),
        by.acm_answers(operator, exact, Status="REVOKED"),
    ):
        assert kinds(operator.deploy()["changes"]) == [
            ("create", "certificate", NAME),
            ("update", "domain", NAME),
        ]
    own = by.own_certificate(operator)
    # And another in its place when that fails.
    with by.acm_answers(operator, own, Status="FAILED"), by.acm_answers(operator, exact, Status="REVOKED"):
        operator.root("acm").delete_certificate(CertificateArn=wildcard)
        assert kinds(operator.deploy()["changes"]) == [
            ("create", "certificate", NAME),
            ("delete", "certificate", f"{NAME} {own.rpartition('/')[2]}"),
            ("update", "domain", NAME),
        ]
    assert own not in certificates(operator)
    operator.root("acm").delete_certificate(CertificateArn=exact)
    assert operator.plan() == []


def test_the_history_api_has_a_name_of_its_own(operator: Operator) -> None:
    name = f"history.{ZONE}"
    settings = {"NWCHAT_HISTORY__DOMAIN": name}
    done = operator.deploy(**settings)
    assert kinds(done["changes"]) == [
        ("create", "certificate", name),
        ("create", "domain", name),
        ("create", "mapping", name),
        ("create", "record", f"{name} A"),
    ]
    assert (done["endpoints"]["history"], done["endpoints"]["domain"]) == (
        f"https://{name}",
        f"wss://{NAME}/",
    )
    assert operator.plan(**settings) == []
    (mapping,) = operator.api.get_api_mappings(DomainName=name)["Items"]
    assert (mapping["ApiId"], mapping["Stage"]) == (operator.history_id, "$default")
    for path, key in (("/health", "status"), ("/messages?limit=1", "messages")):
        wanted = Request(operator.sandbox.endpoint + path, headers={"Host": name})
        with urlopen(wanted, timeout=SECONDS) as answer:
            assert key in json.load(answer)
    steps = operator.json("smoke", **settings)["steps"]
    assert [each["name"] for each in steps if each["ok"]][-2:] == ["health", "messages"]
    assert {each["action"] for each in operator.deploy()["changes"]} == {"delete"}
    assert list(domains(operator)) == [NAME]
    assert operator.plan() == []


def test_new_domain_replaces_the_first(operator: Operator) -> None:
    other = f"talk.{ZONE}"
    ran = operator.run("deploy", "--yes", NWCHAT_DOMAIN__NAME=other)
    assert ran.code == 0
    # The new name answers before the old one is touched.
    made = ran.calls.index("CreateApiMapping")
    assert made < ran.calls.index("DeleteApiMapping") < ran.calls.index("DeleteDomainName")
    assert list(domains(operator)) == [other]
    assert list(certificates(operator).values()) == [other]
    assert {each[0] for each in records(operator) if each[1] == "A"} == {f"{other}."}
    # A certificate whose domain is gone, and whose name is configured no more, is found all the same.
    operator.api.delete_domain_name(DomainName=other)
    gone = kinds(operator.plan(NWCHAT_DOMAIN__NAME=""))
    assert gone == [("delete", "certificate", other)]
    operator.deploy(NWCHAT_DOMAIN__NAME=other)
    # Without a name, nothing of it is left; and a chat without one asks neither ACM nor Route 53.
    assert len(kinds(operator.deploy(NWCHAT_DOMAIN__NAME="")["changes"])) == 4
    assert (domains(operator), certificates(operator), records(operator)) == ({}, {}, set())
    calls = operator.run("plan", NWCHAT_DOMAIN__NAME="").calls
    assert not {"ListCertificates", "ListHostedZones"} & set(calls)


def test_smoke_reports_domain_that_does_not_resolve_yet(operator: Operator) -> None:
    ran = operator.run("smoke", NWCHAT_DOMAIN__NAME=NAME)
    assert (ran.code, f"{NAME} does not lead to the chat yet" in ran.err) == (0, True)


def test_where_dns_lives_elsewhere_the_records_are_printed(operator: Operator) -> None:
    """The zone is none of the tool's: what it would write there, somebody else writes."""
    elsewhere = {"NWCHAT_DOMAIN__ZONE_ID": "none"}
    ran = operator.run("deploy", "--yes", **elsewhere)
    assert (ran.code, ran.error and ran.error.code) == (1, "certificate_unvalidated")
    assert ran.error is not None
    assert "run deploy again" in ran.error.hint
    (arn,) = certificates(operator)
    asked = operator.root("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    record = asked["DomainValidationOptions"][0]["ResourceRecord"]
    wanted = f"{record['Name'].rstrip('.')} CNAME {record['Value'].rstrip('.')}"
    assert wanted in ran.error.message
    # Whatever can be there without it is.
    status = operator.json("status", **elsewhere)
    assert {(each["action"], each["kind"]) for each in status["changes"]} == {
        ("update", "certificate"),
        ("create", "domain"),
        ("create", "mapping"),
    }
    assert [each["type"] for each in status["dns"]] == ["CNAME"]
    zone = by.zone_of(operator)
    validation = by.address(record["Name"], record["Value"], "CNAME")
    by.change(operator, zone, "CREATE", validation)
    done = operator.run("deploy", "--yes", "--json", **elsewhere)
    assert list(certificates(operator)) == [arn]
    target = domains(operator)[NAME]["ApiGatewayDomainName"]
    assert done.data["dns"] == [{"name": NAME, "type": "CNAME", "value": target}]
    assert operator.plan(**elsewhere) == []
    ran = operator.run("deploy", **elsewhere)
    assert f"where its DNS lives there has to be: {NAME} CNAME {target}" in ran.out
    assert f"create where the name's DNS lives, if it is not there: {NAME} CNAME {target}" in ran.err
    assert "ListResourceRecordSets" not in ran.calls
    # Once the zone is the tool's, the alias follows; a validation record that it found stays in the end.
    assert kinds(operator.deploy()["changes"]) == [("create", "record", f"{NAME} A")]
    assert operator.plan() == []
    operator.deploy(NWCHAT_DOMAIN__NAME="")
    assert {each[1] for each in records(operator)} == {"CNAME"}
    by.change(operator, zone, "DELETE", validation)


def test_shared_domain_is_kept(operator: Operator) -> None:
    operator.deploy()
    api = operator.api.create_api(
        Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
    )["ApiId"]
    operator.api.create_stage(ApiId=api, StageName="live")
    theirs = operator.api.create_api_mapping(DomainName=NAME, ApiId=api, Stage="live", ApiMappingKey="v2")
    try:
        assert operator.plan() == []
        ran = operator.run("destroy", "--yes", "--json")
        assert ran.code == 0
        assert {(each["kind"], each["name"]) for each in ran.data["left"]} >= {
            ("certificate", NAME),
            ("domain", NAME),
            ("record", f"{NAME} A"),
        }
        (left,) = operator.api.get_api_mappings(DomainName=NAME)["Items"]
        assert left["ApiId"] == api
    finally:
        operator.api.delete_api_mapping(DomainName=NAME, ApiMappingId=theirs["ApiMappingId"])
        operator.api.delete_api(ApiId=api)
