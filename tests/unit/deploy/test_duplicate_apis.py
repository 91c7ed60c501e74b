"""Which of several APIs is the chat's: never a guess where two might be."""

from __future__ import annotations

import pytest

from nwchatctl.deploy.duplicate_apis import ApiCandidate, choose

USED = ApiCandidate("used", has_own_name=True, is_empty=False)
RENAMED = ApiCandidate("renamed", has_own_name=False, is_empty=False)
OLD = ApiCandidate("old", has_own_name=True, is_empty=True)
NEW = ApiCandidate("new", has_own_name=True, is_empty=True)
SOMEBODYS = ApiCandidate("somebodys", has_own_name=False, is_empty=True)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([OLD, NEW], "old"),
        ([OLD, USED], "used"),
        ([USED, OLD, NEW], "used"),
        ([OLD, RENAMED, NEW], "renamed"),
        ([USED, RENAMED], None),
        ([OLD, USED, RENAMED], None),
        ([USED, SOMEBODYS], None),
        ([OLD, SOMEBODYS], None),
        ([SOMEBODYS, ApiCandidate("twin", has_own_name=False, is_empty=True)], None),
    ],
    ids=lambda value: "+".join(each.id for each in value) if isinstance(value, list) else str(value),
)
def test_api_of_chat_is_chosen_among_duplicates(candidates: list[ApiCandidate], expected: str | None) -> None:
    assert choose(candidates) == expected
