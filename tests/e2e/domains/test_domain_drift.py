"""What somebody changes of the chat's name by hand is seen, attribute by attribute, and repaired."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.console import domains as by
from tests.e2e.support.drift_cases import Drift, Part, check_repair, edit
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

NAME = "chat.drift.example"
DOMAIN, MAPPING, RECORD = ("domain", NAME), ("mapping", NAME), ("record", f"{NAME} A")
CERTIFICATE = ("certificate", NAME)
TARGET = Part(f".execute-api.{DEFAULT_REGION}.amazonaws.com")

# fmt: off
DRIFTS = (
    edit("domain-certificate", by.other_certificate, DOMAIN,
           certificate=(Part(":certificate/"), Part(":certificate/"))),
    edit("domain-policy", by.domain(SecurityPolicy="TLS_1_0"), DOMAIN,
           security_policy=("TLS_1_0", "TLS_1_2")),
    edit("domain-addresses", by.domain(IpAddressType="dualstack"), DOMAIN,
           ip_address_type=("dualstack", "ipv4")),
    edit("domain-clients", by.domain_with(MutualTlsAuthentication={"TruststoreUri": "s3://x/y"}), DOMAIN,
           mutual_tls=("s3://x/y", None)),
    edit("domain-routing", by.domain_with(RoutingMode="ROUTING_RULE_ONLY"), DOMAIN,
           routing_mode=("ROUTING_RULE_ONLY", "API_MAPPING_ONLY")),
    Drift("domain-tagged", by.tag_domain, "update", *DOMAIN, {"tags.stray": ("tag", None)}),
    Drift("domain-deleted", by.delete_domain, "create", *DOMAIN, {"endpoint_type": (None, "REGIONAL")},
          also=(("create", *MAPPING), ("update", *RECORD))),
    edit("mapping-stage", by.stage_remapped, MAPPING, stage=("other", "production")),
    Drift("mapping-deleted", by.delete_mapping, "create", *MAPPING, {"stage": (None, "production")}),
    edit("record-health", by.health_evaluated, RECORD, evaluate_health=("on", "off")),
    edit("record-dangling", by.alias_to_missing_target, RECORD,
           target=(by.DANGLING, TARGET)),
    Drift("record-deleted", by.delete_record, "create", *RECORD, {"target": (None, TARGET)}),
    edit("validation-deleted", by.delete_validation, CERTIFICATE, validation_zone=(None, Part("Z"))),
    Drift("certificate-tagged", by.tag_certificate, "update", *CERTIFICATE, {"tags.stray": ("tag", None)}),
)
# fmt: on


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-name-drift", tmp_path_factory.mktemp("home"), NWCHAT_DOMAIN__NAME=NAME)
    zone = by.make_zone(made, "drift.example")
    made.deploy()
    yield made
    made.destroy()
    assert by.records(made, zone) == []
    by.drop_zone(made, zone)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.id)
def test_drift_is_shown_and_repaired(operator: Operator, drift: Drift) -> None:
    check_repair(operator, drift)
