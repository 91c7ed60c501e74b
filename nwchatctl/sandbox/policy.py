"""The operator's IAM policy, as text: the same file that an operator attaches on AWS."""

from __future__ import annotations

import json
from pathlib import Path

from nwchatctl.errors import ChatError, Exit

_HERE = Path(__file__).resolve()
# In a wheel it lies beside this module, in a checkout in docs/.
_PLACES = (_HERE.with_name("operator-policy.json"), _HERE.parents[2] / "docs" / "operator-policy.json")


def operator_policy(places: tuple[Path, ...] = _PLACES) -> str:
    """The text of the first of `places` that exists. Raises ChatError `operator_policy`, exit 3."""
    for path in places:
        try:
            text = path.read_text(encoding="utf-8")
            json.loads(text)
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise _fault(f"{path} is not JSON: {error}") from error
        return text
    raise _fault("the operator's policy file is missing")


def _fault(message: str) -> ChatError:
    return ChatError(
        message,
        hint="restore docs/operator-policy.json",
        code="operator_policy",
        exit_code=Exit.CONFIG,
    )
