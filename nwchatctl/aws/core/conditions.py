"""Conditions of policies, as far as the tool reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPERATORS = ("ArnLike", "ArnEquals", "StringLike", "StringEquals")
"""How a policy can name a source ARN. Lambda's AddPermission writes ArnLike; a policy that another tool wrote
may have any of them. Names of condition keys are not case-sensitive (IAM user guide, "Condition")."""


def source_arn(statement: Mapping[str, Any]) -> str:
    """The only ARN to which `aws:SourceArn` limits a statement, "" for none or several."""
    conditions = statement.get("Condition") or {}
    found = [
        value
        for operator in _OPERATORS
        for name, value in (conditions.get(operator) or {}).items()
        if name.lower() == "aws:sourcearn"
    ]
    values = [each for value in found for each in (value if isinstance(value, list) else [value])]
    return str(values[0]) if len(set(values)) == 1 else ""
