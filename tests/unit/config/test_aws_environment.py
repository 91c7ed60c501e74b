"""What the AWS_* variables say before boto3 is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from nwchatctl.config.aws_environment import (
    config_file,
    environment_profile,
    environment_region,
    mentions_mfa,
)


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, ""),
        ({"AWS_DEFAULT_REGION": ""}, ""),
        ({"AWS_DEFAULT_REGION": "b"}, "b"),
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
        ({"AWS_REGION": " ", "AWS_DEFAULT_REGION": "b\n"}, "b"),
    ],
)
def test_region(environ: dict[str, str], region: str) -> None:
    assert environment_region(environ) == region


def test_profile_and_file() -> None:
    assert environment_profile({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}) == "b"
    assert environment_profile({"AWS_PROFILE": ""}) == "default"
    assert config_file({"AWS_CONFIG_FILE": "/c"}) == "/c"
    assert config_file({}) == "~/.aws/config"


def test_mfa_is_looked_for_in_both_files(tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    assert not mentions_mfa(environ)
    credentials.write_text("[x]\nmfa_serial = arn\n")
    assert mentions_mfa(environ)
    for unreadable in (str(tmp_path), "/no/such\0file", "~nobody-of-that-name/config"):
        files = {"AWS_CONFIG_FILE": unreadable, "AWS_SHARED_CREDENTIALS_FILE": unreadable}
        assert not mentions_mfa(files)
