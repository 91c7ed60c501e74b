"""The IAM policies of docs/policies, filled in for one account and one chat.

A template is a policy whose strings have placeholders, `${partition}`. A placeholder may have several
values: an entry of a list is repeated for each, and a statement without resources is left out. IAM refuses a
template that was not filled in: it knows no policy variable of those names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwchatctl.errors import ChatError, Exit

POLICIES = ("deploy", "run", "domain", "adopt", "logging", "vpc", "boundary")
"""The policies by the names that `nwchatctl policy` has for them."""

MANAGED_POLICY_CHARS = 6144
"""The longest managed policy, without white space (IAM quotas)."""

_FILES = {"boundary": "functions-boundary"}
"""The files whose name differs from the policy's."""

_HERE = Path(__file__).resolve()
# In a wheel the files are beside this module, in a checkout in docs/.
_FOLDERS = (_HERE.parent / "iam_policies", _HERE.parents[1] / "docs" / "policies")

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

# What a condition on tags may leave to the ids of the APIs, where those are named.
_BY_TAG_OR_ID = "Apis"


@dataclass(frozen=True, slots=True)
class PolicyValues:
    """What the placeholders stand for.

    `chat` is "*" for all chats, `boundary` the name or ARN of the boundary's managed policy, "" for the usual
    name. `apis` are ids, "*" for all; `domains` the chat's names and `zones` the ids of their hosted zones;
    `tables` and `functions` are those of a chat made by hand.
    """

    partition: str
    region: str
    account: str
    chat: str
    boundary: str = ""
    apis: tuple[str, ...] = ("*",)
    domains: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()

    def by_name(self) -> dict[str, tuple[str, ...]]:
        """The values by the placeholders' names."""
        boundary = boundary_arn(self.boundary or boundary_name(self.chat), self.partition, self.account)
        single = {
            "partition": self.partition,
            "region": self.region,
            "account": self.account,
            "chat": self.chat,
            "boundary": boundary,
        }
        several = {
            "api": self.apis,
            "domain": self.domains,
            "zone": self.zones,
            "table": self.tables,
            "function": self.functions,
        }
        return {**{name: (value,) for name, value in single.items()}, **several}


def boundary_name(chat: str) -> str:
    """The usual name of the managed policy that bounds a chat's roles; "*" for that of the sandbox."""
    return "nwchat-boundary" if chat == "*" else f"nwchat-{chat}-boundary"


def boundary_arn(name: str, partition: str, account: str) -> str:
    """The ARN of the managed policy `name`, which may be an ARN already."""
    return name if name.startswith("arn:") else f"arn:{partition}:iam::{account}:policy/{name}"


def policy_document(name: str, values: PolicyValues) -> dict[str, Any]:
    """The policy `name`, one of `POLICIES`. Raises ChatError `policy_missing`, exit 3."""
    document = template(name)
    statements = [_filled(each, values.by_name()) for each in document["Statement"]]
    if values.apis != ("*",):
        # An id says more than a tag, and holds where API Gateway has no tags for the parts of an API.
        statements = [_by_id(each) for each in statements]
    return {**document, "Statement": [each for each in statements if each.get("Resource") != []]}


def compact(document: Mapping[str, Any]) -> str:
    """The policy's JSON without white space, as IAM counts it."""
    return json.dumps(document, separators=(",", ":"))


def template(name: str, folders: tuple[Path, ...] = _FOLDERS) -> dict[str, Any]:
    """The template of the policy `name`, of the first folder that has it. Raises as `policy_document`."""
    file = f"{_FILES.get(name, name)}.json"
    for folder in folders:
        try:
            found = json.loads((folder / file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise _missing(f"{folder / file} is not JSON: {error}", file) from error
        if isinstance(found, dict):
            return found
    raise _missing(f"the policy file docs/policies/{file} is missing", file)


def _missing(message: str, file: str) -> ChatError:
    return ChatError(
        message, hint=f"restore docs/policies/{file}", code="policy_missing", exit_code=Exit.CONFIG
    )


def _by_id(statement: dict[str, Any]) -> dict[str, Any]:
    if statement["Sid"] != _BY_TAG_OR_ID:
        return statement
    return {key: value for key, value in statement.items() if key != "Condition"}


def _filled(value: Any, values: Mapping[str, tuple[str, ...]]) -> Any:
    if isinstance(value, dict):
        return {_only(key, values): _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [text for each in value for text in _texts(each, values)]
    if isinstance(value, str):
        found = list(_texts(value, values))
        return found[0] if len(found) == 1 else found
    return value


def _texts(text: str, values: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """`text` once for each combination of its placeholders' values."""
    found = _PLACEHOLDER.search(text)
    if found is None:
        yield text
        return
    for value in values[found[1]]:
        yield from _texts(text.replace(found[0], value), values)


def _only(text: str, values: Mapping[str, tuple[str, ...]]) -> str:
    (found,) = _texts(text, values)
    return found
