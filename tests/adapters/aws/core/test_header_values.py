"""Keys and tokens that no header may have: they are in the error's text, which nobody is shown."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import HTTPClientError

from nwchatctl import wait_notices
from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.core.event_handlers import limit_retries, report_calls
from nwchatctl.aws.core.retry import is_transient, with_retries

SECRET = "t0ken-of-a-process"


@pytest.fixture
def client() -> Any:
    """A client whose credentials are as a credential_process printed them, with a line break at the end."""
    session = boto3.session.Session(region_name="us-east-2")
    metadata = {"access_key": "AK", "secret_key": "secret", "token": f"{SECRET}\n"}
    made: Any = RefreshableCredentials.create_from_metadata(
        {**metadata, "expiry_time": "2999-01-01T00:00:00Z"}, refresh_using=dict, method="custom-process"
    )
    core: Any = session._session
    core._credentials = made
    retries = Config(retries={"mode": "standard", "total_max_attempts": 8})
    found = session.client("sts", endpoint_url="http://127.0.0.1:9", config=retries)
    found.meta.events.register("needs-retry", limit_retries)
    report_calls(found)
    return found


def test_a_token_that_no_header_may_have_is_neither_tried_again_nor_said(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_notices, "NOTICE_SECONDS", 0.0)
    monkeypatch.setattr("nwchatctl.aws.core.retry.UNANSWERED_SECONDS", 0.5)
    said: list[str] = []
    attempts: list[object] = []
    client.meta.events.register("before-send", lambda **_: attempts.append(None))
    with wait_notices.announced(said.append, watched=False), pytest.raises(HTTPClientError) as caught:
        with_retries(client.get_caller_identity)
    assert SECRET in str(caught.value)
    assert SECRET not in "".join(said)
    assert not is_transient(caught.value)
    assert len(attempts) == 1
    shown = to_chat_error(caught.value)
    assert shown is not None
    assert shown.code == "no_credentials"
    assert SECRET not in f"{shown.message} {shown.hint}"
