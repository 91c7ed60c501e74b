"""Which of several APIs is the chat's: never a guess where two might be."""

from __future__ import annotations

import pytest

from nwchatctl.deploy.duplicate_apis import ApiCandidate, chosen

USED = ApiCandidate("used", named=True, bare=False)
RENAMED = ApiCandidate("renamed", named=False, bare=False)
OLD = ApiCandidate("old", named=True, bare=True)
NEW = ApiCandidate("new", named=True, bare=True)
SOMEBODYS = ApiCandidate("somebodys", named=False, bare=True)


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
        ([SOMEBODYS, ApiCandidate("twin", named=False, bare=True)], None),
    ],
    ids=lambda value: "+".join(each.id for each in value) if isinstance(value, list) else str(value),
)
def test_api_of_chat_is_chosen_among_duplicates(candidates: list[ApiCandidate], expected: str | None) -> None:
    assert chosen(candidates) == expected
