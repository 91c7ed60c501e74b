"""IAM's limits on the size of policies, and roles that other calls do not find at once.

ministack takes policies of any size, and a role at once. The rules are `managed_policy_size`,
`inline_policies_size` and `role_visible` (`sandbox/rules.py`). White space does not count (IAM user guide,
IAM and STS quotas).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from nwchatctl.sandbox import limits

_created: dict[tuple[str, str], float] = {}
"""When each role was created, in monotonic seconds, by account and name."""


def policy_size(document: str) -> int:
    """How many characters of a policy count."""
    return len(re.sub(r"\s", "", document))


def large_policy(request: Any) -> Any:
    """The refusal of a managed policy that is too large, or None."""
    limit = limits.current().value("managed_policy_size")
    if limit is None or policy_size(iam._p(request, "PolicyDocument")) <= limit:
        return None
    return _refused(409, "LimitExceeded", f"Cannot exceed quota for PolicySize: {limit:.0f}")


def large_inline_policies(request: Any) -> Any:
    """The refusal of an inline policy that is too large together with the role's others, or None."""
    role, limit = iam._p(request, "RoleName"), limits.current().value("inline_policies_size")
    have = (iam._roles.get(role) or {}).get("InlinePolicies", {})
    after = {**have, iam._p(request, "PolicyName"): iam._p(request, "PolicyDocument")}
    if limit is None or sum(map(policy_size, after.values())) <= limit:
        return None
    return _refused(
        409, "LimitExceeded", f"Maximum policy size of {limit:.0f} bytes exceeded for role {role}"
    )


def invisible_role(request: Any) -> Any:
    """The refusal of a call about a role that was made a moment ago, or None."""
    name, seconds = iam._p(request, "RoleName"), limits.current().value("role_visible")
    created = _created.get((get_account_id(), name))
    if seconds is None or created is None or time.monotonic() >= created + seconds:
        return None
    return _refused(404, "NoSuchEntity", f"The role with name {name} cannot be found.")


def _refused(status: int, code: str, message: str) -> Any:
    return iam._error(status, code, message, ns="iam")


def _after_checks(handle: Callable[[Any], Any], *checks: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(request: Any) -> Any:
        for check in checks:
            if (refused := check(request)) is not None:
                return refused
        return handle(request)

    return checked


def _noting_creation(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def created(request: Any) -> Any:
        response = create(request)
        if response[0] == 200:
            _created[get_account_id(), iam._p(request, "RoleName")] = time.monotonic()
        return response

    return created


def install() -> None:
    handlers = iam._IAM_HANDLERS
    for action in ("CreatePolicy", "CreatePolicyVersion"):
        handlers[action] = _after_checks(handlers[action], large_policy)
    handlers["CreateRole"] = _noting_creation(handlers["CreateRole"])
    handlers["AttachRolePolicy"] = _after_checks(handlers["AttachRolePolicy"], invisible_role)
    handlers["PutRolePolicy"] = _after_checks(
        handlers["PutRolePolicy"], invisible_role, large_inline_policies
    )
