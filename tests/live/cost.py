"""What a run costs at most, from its counts and AWS's prices. Pure.

Prices: us-east-1, Price List of September 2026 (docs/explanation/aws-facts.md), without
the free tier.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CostItem:
    """`count` units of `what` at `price` (dollars per unit)."""

    what: str
    count: float
    price: float

    @property
    def dollars(self) -> float:
        return self.count * self.price


ITEMS = (
    CostItem("WebSocket messages and @connections calls", 2000, 1.00 / 1e6),
    CostItem("connection minutes", 200, 0.25 / 1e6),
    CostItem("HTTP API requests", 50, 1.00 / 1e6),
    CostItem("Lambda invocations", 2000, 0.20 / 1e6),
    CostItem("Lambda GB-seconds", 500, 0.0000166667),
    CostItem("DynamoDB writes", 2000, 0.625 / 1e6),
    CostItem("DynamoDB reads", 5000, 0.125 / 1e6),
    CostItem("CloudWatch Logs, GB in", 0.01, 0.50),
    CostItem("SQS and SSM requests", 500, 0.40 / 1e6),
    # Billed by the hour for the GB that a table holds.
    CostItem("point-in-time recovery, GB-months", 0.001, 0.20),
)
"""Upper bounds: a run on AWS makes about a fifth of these requests."""

MAX_DOLLARS = 0.05


def expected_dollars() -> float:
    """The sum of the items."""
    return sum(each.dollars for each in ITEMS)
