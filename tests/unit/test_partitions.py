"""ARNs and hosts name the partition: no file of the tool or of the functions has one partition's built in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import boto3
import pytest

from nwchatctl.aws.core.partitions import dns_suffix, partition_of
from nwchatctl.iam_templates import POLICIES, PolicyValues, policy_document
from tests.paths import ROOT

PRINCIPALS = ("apigateway.amazonaws.com", "lambda.amazonaws.com", "ops.apigateway.amazonaws.com")
"""Names of services, not of hosts: they are the same in every partition."""

TABLES = ("nwchatctl/aws/core/partitions.py", "lambdas/nwchat/aws/endpoints.py")
"""Files that are about the partitions' DNS suffixes."""

_PARTITION = re.compile(r"arn:aws[a-z-]*:|amazonaws\.(?:com|eu)")


def files() -> list[Path]:
    found = [path for folder in ("nwchatctl", "lambdas") for path in (ROOT / folder).rglob("*.py")]
    # The sandbox is one Region of the partition `aws`.
    return [path for path in found if "sandbox" not in path.parts]


DEFAULT = 'dns_suffix: str = "amazonaws.com"'
"""That of `Location`, beside the default of its partition."""


def without_allowed(text: str) -> str:
    """The text without docstrings' examples, the names of services and the default."""
    for allowed in (DEFAULT, *(f'"{each}"' for each in PRINCIPALS)):
        text = text.replace(allowed, "")
    # In backquotes stands what a docstring names.
    return re.sub(r"`[^`\n]*`", "", text)


def test_no_file_has_a_partition_built_in() -> None:
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if name in TABLES:
            continue
        for number, line in enumerate(without_allowed(path.read_text(encoding="utf-8")).splitlines(), 1):
            # A pattern takes every partition: `arn:aws[a-z-]*:`.
            found = _PARTITION.search(line.replace("arn:aws[a-z-]*:", ""))
            assert not found, f"{name}:{number} has {found and found[0]} built in"


@pytest.mark.parametrize("name", POLICIES)
def test_policies_name_the_partition_everywhere(name: str) -> None:
    values = PolicyValues(
        "aws-cn", "cn-north-1", "123456789012", "dojo", zones=("Z1",), domains=("a.example",)
    )
    text = json.dumps(policy_document(name, values))
    for principal in PRINCIPALS:
        text = text.replace(principal, "")
    assert set(re.findall(r"arn:[^:]*:", text)) <= {"arn:aws-cn:"}
    assert "amazonaws" not in text


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("us-east-2", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
    ],
)
def test_partition_and_suffix_come_from_botocore(region: str, partition: str, suffix: str) -> None:
    assert partition_of(region) == partition
    assert dns_suffix(boto3.session.Session(), partition) == suffix


def test_an_unknown_partition_has_the_usual_suffix() -> None:
    assert dns_suffix(boto3.session.Session(), "aws-moon") == "amazonaws.com"
