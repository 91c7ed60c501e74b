"""`policy` prints what IAM takes, without AWS where everything is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.subprocesses import Ran, nwchatctl

# No credentials, and no network to ask for any.
ENVIRON = {
    "NWCHAT_CHAT__NAME": "dojo",
    "AWS_EC2_METADATA_DISABLED": "true",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}
ACCOUNT = ("--account", "123456789012")


def run(folder: Path, *argv: str, **environ: str) -> Ran:
    return nwchatctl(folder, *argv, environ={**ENVIRON, **environ})


@pytest.mark.parametrize(
    ("region", "given", "partition"),
    [
        ("us-east-2", (), "aws"),
        ("cn-north-1", (), "aws-cn"),
        ("us-gov-west-1", (), "aws-us-gov"),
        ("xx-nowhere-1", ("--partition", "aws-xx"), "aws-xx"),
    ],
)
def test_the_partition_is_the_regions(
    tmp_path: Path, region: str, given: tuple[str, ...], partition: str
) -> None:
    ran = run(tmp_path, "--region", region, "policy", "run", *ACCOUNT, *given)
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    arns = [each for each in ran.out.split('"') if each.startswith("arn:")]
    assert arns
    assert {each.split(":")[1] for each in arns} == {partition}
    assert document["Version"] == "2012-10-17"
    assert f"arn:{partition}:dynamodb:{region}:123456789012:table/nwchat-dojo-messages" in arns


def test_every_policy_is_the_same_as_json(tmp_path: Path) -> None:
    """The object of --json is the policy itself."""
    environ = {"AWS_DEFAULT_REGION": "us-east-2", "NWCHAT_DOMAIN__NAME": "chat.example.com"}
    ran = run(tmp_path, "policy", "domain", *ACCOUNT, "--zone", "Z1", **environ)
    assert (ran.code, "create-policy" in ran.err) == (0, True)
    other = run(tmp_path, "policy", "domain", *ACCOUNT, "--zone", "Z1", "--json", **environ)
    assert (other.code, other.err, json.loads(other.out)) == (0, "", json.loads(ran.out))


def test_policy_too_large_for_iam_is_refused(tmp_path: Path) -> None:
    zones = [word for each in range(200) for word in ("--zone", f"Z{each:031}")]
    environ = {"AWS_DEFAULT_REGION": "us-east-2", "NWCHAT_DOMAIN__NAME": "chat.example.com"}
    ran = run(tmp_path, "policy", "domain", *ACCOUNT, *zones, "--json", **environ)
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert (ran.code, ran.out, error["code"]) == (1, "", "policy_too_large")
    assert "and IAM takes 6144" in error["message"]


@pytest.mark.parametrize(
    ("argv", "environ", "code", "text"),
    [
        (("deploy", *ACCOUNT), {}, 3, "there is no AWS region"),
        (("deploy", *ACCOUNT), {"NWCHAT_AWS__REGION": "xx-nowhere-1"}, 3, "give --partition"),
        (("domain", *ACCOUNT), {"NWCHAT_AWS__REGION": "us-east-2"}, 3, "set domain.name"),
        (
            ("domain", *ACCOUNT),
            {"NWCHAT_AWS__REGION": "us-east-2", "NWCHAT_DOMAIN__NAME": "c.example.com"},
            3,
            "give --zone ID",
        ),
        (("adopt", *ACCOUNT), {}, 2, "--api-id"),
        (("deploy", "--account", "1"), {}, 2, "12 digits"),
        (("deploy", *ACCOUNT, "--api-id", "*"), {}, 2, "an API's id"),
        (("domain", *ACCOUNT, "--zone", "*"), {}, 2, "hosted zone's id"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, argv: tuple[str, ...], environ: dict[str, str], code: int, text: str
) -> None:
    ran = run(tmp_path, "policy", *argv, **environ)
    assert (ran.code, ran.out) == (code, "")
    assert text in ran.err


def test_dns_elsewhere_needs_no_zone(tmp_path: Path) -> None:
    environ = {
        "NWCHAT_AWS__REGION": "us-east-2",
        "NWCHAT_DOMAIN__NAME": "c.example.com",
        "NWCHAT_DOMAIN__ZONE_ID": "none",
    }
    ran = run(tmp_path, "policy", "domain", *ACCOUNT, **environ)
    assert (ran.code, "hostedzone" in ran.out) == (0, False)
