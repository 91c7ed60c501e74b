"""AWS's errors, and how they are explained."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchat.delivery.scheduler import DeliveryAborted
from nwchatctl.aws.core import errors
from nwchatctl.aws.core.error_context import ErrorContext
from nwchatctl.errors import Exit


def client_error(code: str, message: str, operation: str = "CreateFunction") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)


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
            "nwchatctl policy deploy",
        ),
        *(
            (
                client_error("AccessDenied", "no", operation),
                "access_denied",
                Exit.CONFIG,
                hint,
            )
            for operation, hint in (
                ("CreateRole", "functions.permissions_boundary"),
                ("PutRolePolicy", "nwchatctl policy boundary"),
                ("ChangeResourceRecordSets", "nwchatctl policy domain"),
                ("UpdateAccount", "nwchatctl policy logging"),
            )
        ),
        (
            aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "unreachable",
            Exit.FAILED,
            "network",
        ),
        (aws.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), "unreachable", Exit.FAILED, "network"),
        (
            DeliveryAborted("the first 200 were all refused: 403"),
            "nothing_accepted",
            Exit.FAILED,
            "nwchatctl policy run",
        ),
        (ResponseParserError("not JSON"), "unreachable", Exit.FAILED, "network"),
        (client_error("TooManyRequestsException", "x"), "too_many_requests", Exit.FAILED, "in a minute"),
        (
            client_error("CodeStorageExceededException", "too much"),
            "code_storage_exceeded",
            Exit.FAILED,
            "Service Quotas",
        ),
    ],
)
def test_explanations(error: Exception, code: str, exit_code: int, hint: str) -> None:
    explained = errors.to_chat_error(error)
    assert explained is not None
    assert (explained.code, explained.exit_code) == (code, exit_code)
    assert hint in explained.hint


def test_error_that_is_not_from_botocore_is_not_explained() -> None:
    assert errors.to_chat_error(ValueError("x")) is None


def test_environment_that_lambda_repeats_is_hidden() -> None:
    measured = 'exceeded the 4KB limit. String measured: {"NWCHAT_ALLOWED_ORIGINS":"https://secret.example"}'
    found = errors.to_chat_error(client_error("InvalidParameterValueException", measured))
    assert found is not None
    assert found.message.endswith("exceeded the 4KB limit. String measured (hidden)")
    assert "secret" not in repr(found) + str(found.hint)


def test_memory_and_roles_have_hints_of_their_own() -> None:
    memory = client_error(
        "InvalidParameterValueException",
        "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008",
    )
    found = errors.to_chat_error(memory)
    assert found is not None
    assert "fanout.memory_mb" in (found.hint or "")
    kms = client_error("KMSAccessDeniedException", "Lambda was unable to decrypt", "Invoke")
    found = errors.to_chat_error(kms, ErrorContext(deploy="nwchatctl --profile x deploy"))
    assert found is not None
    assert (found.code, found.hint) == ("kms_access_denied", "run `nwchatctl --profile x deploy`")
