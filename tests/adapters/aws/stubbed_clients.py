"""Stubbed AWS for tests of the adapters."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

import boto3
from botocore.stub import Stubber

from nwchatctl.aws.awslambda.functions import Functions
from nwchatctl.aws.awslambda.package import Package
from nwchatctl.deploy.location import Location

TAGS = (("nwchat:chat", "x"), ("nwchat:managed-by", "nwchatctl"))
PLACE = Location("123456789012", "us-east-2")
PREFIX = "arn:aws:apigateway:us-east-2::/apis/"


class StubbedClients:
    """Stubbed clients, each of which must have been asked everything that was queued, and nothing else."""

    def __init__(self) -> None:
        self.stubs: list[Stubber] = []

    def client(self, service: Any) -> tuple[Any, Stubber]:
        client = boto3.client(
            service, region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b"
        )
        stub = Stubber(client)
        stub.activate()
        self.stubs.append(stub)
        return client, stub


class RoleIds(dict[str, str]):
    """Ids of roles by name; "" for a missing role."""

    def id(self, name: str) -> str:
        return self.get(name, "")

    def known_ids(self) -> Collection[str]:
        return self.values()

    def other_than(self, name: str) -> str:
        return next((each for each in self if each != name), "")


def functions(client: Any, **role_ids: str) -> Functions:
    return Functions(
        client,
        Package(b"zip", "sha"),
        lambda name: PLACE.arn("lambda", f"function:{name}"),
        PLACE.role_arn,
        RoleIds(role_ids),
    )


class ImmediateEvent(threading.Event):
    """The event that a retry waits for, already set: no wait takes any time."""

    def wait(self, timeout: float | None = None) -> bool:
        return False
