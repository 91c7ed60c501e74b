from __future__ import annotations

import re
import timeit
from typing import Any

import pytest

from nwchatctl.sandbox import parameter_checks, request_model
from nwchatctl.sandbox.parameter_checks import compiled_pattern, message, violations
from nwchatctl.sandbox.request_model import UnreadableRequest

SKIPPED = {
    ("ssm", "AzureApplicationDisplayName"),
    ("ssm", "AzureSubscriptionDisplayName"),
    ("ssm", "AzureTenantDisplayName"),
    ("ssm", "CloudConnectorDescription"),
    ("ssm", "DisplayName"),
}
"""Shapes whose patterns Python cannot express: no operation of the chat uses them."""


def test_every_pattern_but_the_listed_ones_is_checked() -> None:
    skipped = {
        (service, name)
        for service in request_model.SERVICES
        for name, shape in request_model.model(service).shapes.items()
        if "pattern" in shape and compiled_pattern(shape["pattern"]) is None
    }
    # Each may be missing from an older or a newer botocore.
    assert skipped <= SKIPPED


def test_classes_of_letters_come_with_numbers_and_an_underscore() -> None:
    """`compiled_pattern` translates them to Python's `\\w`, which is all three."""
    for service in request_model.SERVICES:
        for name, shape in request_model.model(service).shapes.items():
            pattern = shape.get("pattern", "")
            if r"\p{L}" in pattern and compiled_pattern(pattern) is not None:
                assert r"\p{N}_" in pattern and r"\w" not in pattern, (service, name)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", "Größe 1_\u2003漢", "a*"),
        (r"\p{ASCII}+", "a~\x00", "ä"),
        (r"\p{Print}+", "a ~", "a\n"),
        (r"[\w-_]*", "a-b_c", "a b"),
        (r"^arn:[\w-\/.@+=,]{1,9}$", "arn:a-b/c.d", "arn:a b"),
        (r"[\w+=,.@-]*", "a-b@c", "ä"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a\U0001f600", "\x00"),
        (r"^[a-z]+$", "abc", "abc\n"),
        (r"[a-z]+", "abc", "abc1"),
    ],
)
def test_patterns_of_java_match_the_whole_text(pattern: str, good: str, bad: str) -> None:
    compiled = compiled_pattern(pattern)
    assert isinstance(compiled, re.Pattern)
    assert compiled.fullmatch(good) and not compiled.fullmatch(bad)


def case(service: str, shape: str, violation: str, **parameters: Any) -> tuple[str, str, str, dict[str, Any]]:
    return service, shape, violation, parameters


AT_LEAST_1 = "Member must have length greater than or equal to 1"
DEEP = {"M": {"b": {"L": [{"M": {"k" * 65_536: {"S": "x"}}}]}}}


@pytest.mark.parametrize(
    ("service", "shape", "violation", "parameters"),
    [
        case("lambda", "GetFunctionRequest", "Value null at 'functionName' failed to satisfy constraint: "),
        case("lambda", "GetFunctionRequest", "Member must not be null", FunctionName=None),
        case(
            "dynamodb",
            "ListTablesInput",
            "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal "
            "to 1",
            Limit=0,
        ),
        case("lambda", "ListFunctionsRequest", "value less than or equal to 10000", MaxItems="10001"),
        case(
            "ssm",
            "GetParameterRequest",
            f"Value '' at 'name' failed to satisfy constraint: {AT_LEAST_1}",
            Name="",
        ),
        case(
            "apigatewayv2",
            "CreateApiRequest",
            "length less than or equal to 128",
            name="n" * 129,
            protocolType="HTTP",
        ),
        case("dynamodb", "DescribeTableInput", "length less than or equal to 1024", TableName="t" * 1025),
        case(
            "iam",
            "TagRoleRequest",
            "Value '*' at 'tags.2.member.key' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: [",
            RoleName="r",
            Tags=[{"Key": "a", "Value": "b"}, {"Key": "*", "Value": ""}],
        ),
        case(
            "dynamodb",
            "BatchWriteItemInput",
            f"'requestItems' failed to satisfy constraint: {AT_LEAST_1}",
            RequestItems={},
        ),
        case("lambda", "GetAliasRequest", "'name' failed to satisfy constraint", FunctionName="f", Name="5"),
        case(
            "acm",
            "RequestCertificateRequest",
            "Member must satisfy enum value set: [DNS, EMAIL, HTTP]",
            DomainName="a.example.com",
            ValidationMethod="LETTER",
        ),
        case("dynamodb", "PutItemInput", "'item' failed", TableName="t", Item={"k" * 65_536: {"S": "x"}}),
        case(
            "dynamodb",
            "PutItemInput",
            "at 'item.a.member.m.b.member.l.1.member.m' failed",
            TableName="t",
            Item={"a": DEEP},
        ),
    ],
)
def test_a_violation_says_where_and_what(
    service: str, shape: str, violation: str, parameters: dict[str, Any]
) -> None:
    found = violations(service, shape, parameters)
    assert len(found) == 1 and violation in found[0]


def test_sensitive_values_are_not_repeated() -> None:
    parameters = {"FunctionName": "f", "Environment": {"Variables": {"not a name": "a secret"}}}
    found = violations("lambda", "UpdateFunctionConfigurationRequest", parameters)
    assert len(found) == 1 and "secret" not in found[0] and "not a name" not in found[0]


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        ("PutItemInput", {"TableName": 1, "Item": {}}),
        ("PutItemInput", {"TableName": "t", "Item": []}),
        ("ListTablesInput", {"Limit": "many"}),
        ("BatchGetItemInput", {"RequestItems": {"t": {"Keys": {}}}}),
    ],
)
def test_a_value_of_another_type_is_unreadable(shape: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRequest):
        violations("dynamodb", shape, parameters)


def test_the_length_of_bytes_is_that_of_the_decoded_text() -> None:
    wanted = {"FunctionName": "f", "ZipFile": "A" * 8}
    assert violations("lambda", "UpdateFunctionCodeRequest", wanted) == []


def test_an_error_lists_some_violations() -> None:
    assert message(["one"]) == "1 validation error detected: one"
    assert message([str(n) for n in range(12)]).startswith("12 validation errors detected: 0; 1; ")
    assert message([str(n) for n in range(12)]).endswith("; 9")


def test_a_put_costs_a_fraction_of_a_millisecond() -> None:
    """The chat's most frequent call; ministack needs several milliseconds for it."""
    item = {f"name{n}": {"S": "x" * 40} for n in range(10)}
    parameters = {"TableName": "t", "Item": item}
    violations("dynamodb", "PutItemInput", parameters)
    fastest = min(timeit.repeat(lambda: violations("dynamodb", "PutItemInput", parameters), number=100))
    assert fastest / 100 < 0.000_2


def test_shapes_are_compiled_when_they_are_used() -> None:
    assert parameter_checks.violations("sts", "", {}) == []
