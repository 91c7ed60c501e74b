"""AWS's errors: which pass, which are explained how, and that patience ends."""

from __future__ import annotations

import time

import pytest
from botocore import exceptions as aws

from nwchatctl.aws import errors
from nwchatctl.errors import Exit


def client_error(code: str, message: str, operation: str = "CreateFunction") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            True,
        ),
        (
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call …",
            True,
        ),
        ("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes", False),
        ("ResourceConflictException", "An update is in progress for resource: arn:aws:lambda:…", True),
        ("ResourceConflictException", "The statement id (x) provided already exists.", False),
        (
            "ConflictException",
            "Unable to complete operation due to concurrent modification. Please try again",
            True,
        ),
        ("ConflictException", "Api mapping already exists", False),
        ("ResourceInUseException", "Table is being created: t", True),
        ("ResourceInUseException", "Table already exists: t", False),
        ("ContinuousBackupsUnavailableException", "Backups are being enabled for the table: t", True),
        ("OperationAbortedException", "A conflicting operation is currently in progress", True),
        ("AccessDeniedException", "no", False),
    ],
)
def test_what_passes(code: str, message: str, expected: bool) -> None:
    assert errors.passing(client_error(code, message)) is expected


def test_patience_repeats_and_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers: list[Exception | str] = [
        client_error("ConflictException", "concurrent modification"),
        client_error("ResourceConflictException", "update is in progress"),
        "done",
    ]

    def call(word: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return f"{answer} {word}"

    assert errors.patiently(call, word="now") == "done now"
    assert len(waits) == 2
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def call() -> None:
        raise client_error("ConflictException", "concurrent modification")

    with pytest.raises(aws.ClientError):
        errors.patiently(call)
    assert errors.PATIENCE_SECONDS - 5 < now[0] <= errors.PATIENCE_SECONDS


def test_other_errors_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))

    def call() -> None:
        raise client_error("ValidationException", "no")

    with pytest.raises(aws.ClientError):
        errors.patiently(call)


@pytest.mark.parametrize(
    ("error", "code", "exit_code", "hint"),
    [
        (aws.NoCredentialsError(), "no_credentials", Exit.CONFIG, "--profile"),
        (aws.NoRegionError(), "no_region", Exit.CONFIG, "--region"),
        (aws.ProfileNotFound(profile="x"), "profile_unknown", Exit.CONFIG, "list-profiles"),
        (client_error("ExpiredTokenException", "x"), "credentials", Exit.CONFIG, "--profile"),
        (client_error("InvalidClientTokenId", "x"), "credentials", Exit.CONFIG, "--profile"),
        (
            client_error(
                "AccessDeniedException", "User: u is not authorized to perform: lambda:CreateFunction"
            ),
            "access_denied",
            Exit.CONFIG,
            "docs/operator-policy.json",
        ),
        (
            aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "unreachable",
            Exit.FAILED,
            "network",
        ),
        (aws.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), "unreachable", Exit.FAILED, "network"),
        (
            client_error("CodeStorageExceededException", "too much"),
            "code_storage_exceeded",
            Exit.FAILED,
            "--debug",
        ),
    ],
)
def test_explanations(error: Exception, code: str, exit_code: int, hint: str) -> None:
    explained = errors.explained(error)
    assert explained is not None
    assert (explained.code, explained.exit_code) == (code, exit_code)
    assert hint in explained.hint


def test_what_is_not_botos_stays_unexplained() -> None:
    assert errors.explained(ValueError("x")) is None
