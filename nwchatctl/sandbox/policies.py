"""The operator's IAM policies, as text: the files that an operator attaches on AWS."""

from __future__ import annotations

import json
from pathlib import Path

from nwchatctl.errors import ChatError, Exit

_HERE = Path(__file__).resolve()


def _candidate_paths(name: str) -> tuple[Path, ...]:
    # In a wheel the file is beside this module, in a checkout in docs/.
    return (_HERE.with_name(name), _HERE.parents[2] / "docs" / name)


def operator_policy(paths: tuple[Path, ...] = _candidate_paths("operator-policy.json")) -> str:
    """The text of the first of `paths` that exists. Raises ChatError `operator_policy`, exit 3."""
    return _policy(paths, "docs/operator-policy.json")


def adopt_policy(paths: tuple[Path, ...] = _candidate_paths("adopt-policy.json")) -> str:
    """The additional policy for `adopt`, read in the same way."""
    return _policy(paths, "docs/adopt-policy.json")


def _policy(paths: tuple[Path, ...], name: str) -> str:
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
            json.loads(text)
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise _error(f"{path} is not JSON: {error}", name) from error
        return text
    raise _error(f"the operator's policy file {name} is missing", name)


def _error(message: str, name: str) -> ChatError:
    return ChatError(message, hint=f"restore {name}", code="operator_policy", exit_code=Exit.CONFIG)
