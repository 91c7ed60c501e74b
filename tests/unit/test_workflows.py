"""The workflows of GitHub Actions: valid YAML, and commands about files that exist."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.paths import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
NEWEST = WORKFLOWS / "newest-boto3.yml"


def load(text: str) -> Any:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    found = yaml.safe_load(text)
    return {"on" if name is True else name: each for name, each in found.items()}


def steps() -> list[dict[str, Any]]:
    (job,) = load(NEWEST.read_text())["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def commands() -> list[str]:
    return [each["run"] for each in steps() if "run" in each]


def test_newest_boto3_is_tested_on_a_schedule_and_when_asked() -> None:
    workflow = load(NEWEST.read_text())
    (schedule,) = workflow["on"]["schedule"]
    assert re.fullmatch(r"\d{1,2} \d{1,2} \* \* [0-6]", schedule["cron"])
    assert "workflow_dispatch" in workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert 0 < job["timeout-minutes"] <= 60


def test_boto3_is_replaced_after_setup_and_before_the_tests() -> None:
    kinds = [
        "setup" if "make setup" in each else "upgrade" if "--upgrade boto3 botocore" in each else "pytest"
        for each in commands()
        if re.search(r"make setup|--upgrade|pytest", each)
    ]
    assert kinds == ["setup", "upgrade", "pytest", "pytest"]


def test_the_tests_that_it_names_exist() -> None:
    named = [word for each in commands() for word in each.split() if word.startswith("tests/")]
    assert {"tests/unit", "tests/adapters"} < set(named)
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_every_step_is_an_action_of_a_version_or_a_command() -> None:
    for each in steps():
        assert ("uses" in each) != ("run" in each), each
        assert "uses" not in each or re.fullmatch(r"actions/[a-z-]+@v\d+", each["uses"])
