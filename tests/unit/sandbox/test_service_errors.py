"""botocore reads the errors of every protocol."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser

from nwchatctl.sandbox import request_model
from nwchatctl.sandbox.service_errors import error_response

CORE = botocore.session.Session()


@pytest.mark.parametrize("service", request_model.SERVICES)
def test_botocore_reads_code_and_message(service: str) -> None:
    status, headers, body = error_response(service, "SomeCode", "a <text> & more", 429)
    protocol = CORE.get_service_model(service).metadata["protocol"]
    response = {"status_code": status, "headers": headers, "body": body, "context": {}}
    parser: Any = create_parser(protocol)
    parsed = parser.parse(response, None)
    error = parsed["Error"]
    assert (error["Code"], error["Message"]) == ("SomeCode", "a <text> & more")
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_sqs_names_the_code_of_its_older_protocol() -> None:
    assert (
        error_response("sqs", "MissingParameter", "m")[1]["x-amzn-query-error"] == "MissingParameter;Sender"
    )


def test_further_fields_are_in_the_body() -> None:
    body = error_response("lambda", "C", "m", 429, {"Reason": "CallerRateLimitExceeded"})[2]
    assert b'"Reason": "CallerRateLimitExceeded"' in body
