from __future__ import annotations

from typing import Any

import pytest

from nwchatctl.aws.core.conditions import source_arn


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"ArnLike": {"AWS:SourceArn": "arn:a"}}, "arn:a"),
        ({"ArnEquals": {"aws:SourceArn": "arn:a"}}, "arn:a"),
        ({"StringLike": {"aws:sourcearn": "arn:*"}}, "arn:*"),
        ({"StringEquals": {"aws:SourceArn": ["arn:a"]}}, "arn:a"),
        ({"StringEquals": {"AWS:SourceAccount": "1"}, "StringLike": {"AWS:SourceArn": "arn:a"}}, "arn:a"),
        ({"ArnLike": {"AWS:SourceArn": ["arn:a", "arn:b"]}}, ""),
        ({"ArnLike": {"AWS:SourceArn": "arn:a"}, "StringLike": {"AWS:SourceArn": "arn:b"}}, ""),
        ({"StringNotLike": {"AWS:SourceArn": "arn:a"}}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_source_is_read_from_every_operator(condition: Any, expected: str) -> None:
    assert source_arn({"Condition": condition}) == expected


def test_a_statement_without_a_condition_has_no_source() -> None:
    assert source_arn({}) == ""
