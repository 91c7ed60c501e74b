"""What somebody changes by hand is seen, attribute by attribute, and repaired; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.drift_cases import DRIFTS, Drift, check_repair
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-drift", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.id)
def test_drift_is_shown_and_repaired(operator: Operator, drift: Drift) -> None:
    check_repair(operator, drift)


def test_deleted_api_is_created_again(operator: Operator) -> None:
    """With another id, which roles, permissions and the functions' environment have to follow."""
    old = operator.api_id
    operator.api.delete_api(ApiId=old)
    changes = operator.deploy()["changes"]
    kinds = {(each["action"], each["kind"]) for each in changes}
    made = {"api", "deployment", "integration", "route", "stage"}
    moved = {"alias", "function", "permission", "role"}
    assert kinds == {("create", each) for each in made} | {("update", each) for each in moved}
    assert operator.plan() == []
    assert operator.api_id != old
    assert operator.json("smoke")["ok"] is True


def test_status_names_what_differs(operator: Operator) -> None:
    DRIFTS[0].apply(operator)
    ran = operator.run("status")
    assert "route\tonMessage\tdiffers" in ran.out.splitlines()
    # Whatever the routes say, the stage serves what was deployed.
    assert f"release\t{operator.json('releases')['releases'][0]['id']}" in ran.out.splitlines()
    assert "~ route onMessage  integration connect → message" in ran.out.splitlines()
    operator.deploy()
