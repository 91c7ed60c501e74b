"""A machine whose AWS configuration is wrong: every case names what to correct, with exit code 3."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.credentials
import pytest

from nwchatctl.aws.core.boto_session import process_program
from nwchatctl.aws.core.caller import identify_caller
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.context import App
from nwchatctl.errors import ChatError
from nwchatctl.operations.aws_errors import explain_error

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
ROLE = "role_arn = arn:aws:iam::1:role/x\n"
SSO = "sso_account_id = 1\nsso_role_name = r\n"

Machine = Callable[..., App]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes an App on a machine with this ~/.aws/config and these variables."""
    for name in [each for each in os.environ if each.startswith(("AWS_", "NWCHAT_"))]:
        monkeypatch.delenv(name)

    def make(config: str = "", **environ: str) -> App:
        folder = tmp_path / ".aws"
        folder.mkdir(exist_ok=True)
        (folder / "config").write_bytes(config.encode("utf-8", "surrogateescape"))
        given = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **environ}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return App(environ={"NWCHAT_CHAT__NAME": "dojo", **given})

    return make


def explained(app: App) -> ChatError:
    """The error of the first use of AWS, which needs no network."""
    try:
        app.aws.client("sts")
        app.aws.sign_in()
        identify_caller(app.aws)
    except Exception as error:
        found = error if isinstance(error, ChatError) else explain_error(app, error)
        assert found is not None, repr(error)
        return found
    raise AssertionError("nothing is wrong")


@pytest.mark.parametrize(
    ("config", "environ", "code", "message", "hint"),
    [
        # credential_process (botocore#2779)
        (
            "credential_process = /no/such --key hunter2",
            {},
            "no_credentials",
            "profile default gives no AWS credentials: its credential_process cannot run /no/such: No such",
            "~/.aws/config",
        ),
        (
            "credential_process = echo Welcome",
            {},
            "no_credentials",
            "its credential_process, echo, prints something else than credentials in JSON",
            "~/.aws/config",
        ),
        ("credential_process = echo []", {}, "no_credentials", "echo, prints something else", "~/.aws"),
        ('credential_process = echo "x', {}, "no_credentials", "echo, prints something else", "~/.aws"),
        (
            "credential_process = ls /nonono",
            {},
            "no_credentials",
            "could not be retrieved",
            "check `ls`, the",
        ),
        (
            f"{ROLE}source_profile = b\n[profile b]\ncredential_process = /no/such",
            {},
            "no_credentials",
            "its credential_process cannot run /no/such",
            "~/.aws/config",
        ),
        # `aws login` (awslogs#419)
        (
            "login_session = arn:aws:iam::1:user/x",
            {},
            "login_extra_missing",
            "profile default was made by `aws login`",
            "pip install 'nwchatctl[aws-login]'",
        ),
        # SSO (inspect_flow#602)
        (
            f"[profile dojo]\n{SSO}sso_session = s\n[sso-session s]\nsso_region = a\nsso_start_url = https://x",
            {"AWS_PROFILE": "dojo"},
            "no_credentials",
            "the SSO session of profile dojo is over, or there is none",
            "run `aws sso login --profile dojo`",
        ),
        (
            f"{SSO}sso_region = a\nsso_start_url = https://x",
            {},
            "no_credentials",
            "the SSO session of profile default is over",
            "run `aws sso login`",
        ),
        # Profiles (vscode-kubernetes-tools#914)
        (
            f"{SSO}sso_session = s",
            {},
            "aws_config",
            "profile default of ~/.aws/config: The specified sso-s",
            "co",
        ),
        (
            f"[profile dojo]\n{ROLE}source_profile = b",
            {"AWS_PROFILE": "dojo"},
            "aws_config",
            'profile dojo of ~/.aws/config: The source_profile "b"',
            "correct the profile in ~/.aws/config",
        ),
        (ROLE, {}, "no_credentials", "missing: source_profile or credential_source", "--profile"),
        (f"{ROLE}credential_source = Bogus", {}, "aws_config", 'credential source "Bogus"', "~/.aws/config"),
        (
            f"{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = default",
            {},
            "aws_config",
            "loop",
            "co",
        ),
        (
            "region us-east-2\n[prof",
            {},
            "aws_config",
            "/.aws/config is no valid AWS configuration",
            "default",
        ),
        (
            "region = a\n# \udcff",
            {},
            "aws_config",
            "/.aws/config is no valid AWS configuration",
            "each line is",
        ),
        ("", {"AWS_PROFILE": "nope"}, "profile_unknown", "(nope) could not be found", "list-profiles"),
        # Values
        (
            "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = b\nduration_seconds = -1\n"
            "[profile b]\naws_access_key_id = AKID\naws_secret_access_key = x",
            {},
            "no_credentials",
            "Invalid value for parameter DurationSeconds, value: -1",
            "correct the profile in ~/.aws/config",
        ),
        (
            "",
            {**KEYS, "AWS_DEFAULTS_MODE": "bogus"},
            "aws_config",
            "AWS_DEFAULTS_MODE: Client configured with invalid defaults mode: bogus",
            "correct AWS_DEFAULTS_MODE",
        ),
        (
            "defaults_mode = bogus",
            KEYS,
            "aws_config",
            "profile default of ~/.aws/config: Client configured with invalid defaults mode: bogus",
            "correct defaults_mode of profile default of ~/.aws/config",
        ),
        (
            "sts_regional_endpoints = x",
            KEYS,
            "aws_config",
            "STS regional endpoints option x",
            "sts_regional_end",
        ),
        (
            "request_checksum_calculation = x",
            KEYS,
            "aws_config",
            "request_checksum_calculation",
            "~/.aws/config",
        ),
        (
            "",
            {"AWS_METADATA_SERVICE_TIMEOUT": "soon"},
            "no_credentials",
            "metadata_service_timeout: invalid literal",
            "the AWS_* variables",
        ),
        (
            "",
            {**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2999-01-01"},
            "no_credentials",
            "the time at which they expire (AWS_CREDENTIAL_EXPIRATION, or Expiration) has no time zone",
            "the AWS_* variables",
        ),
        # Files and addresses that variables name
        (
            "",
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/no/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"},
            "no_credentials",
            "/no/token: No such file or directory",
            "the AWS_* variables",
        ),
        (
            "",
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"},
            "no_credentials",
            "Unsupported host 'example.com'",
            "the AWS_* variables",
        ),
        # Keys (rusoto#1589)
        (
            "",
            {**KEYS, "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI\n"},
            "no_credentials",
            "AWS_SECRET_ACCESS_KEY has a line break at its end",
            "set it again",
        ),
        (
            "",
            {**KEYS, "AWS_ACCESS_KEY_ID": "AKID\r\n"},
            "no_credentials",
            "AWS_ACCESS_KEY_ID has a line",
            "set",
        ),
        (
            "",
            {**KEYS, "AWS_SESSION_TOKEN": "tok en"},
            "no_credentials",
            "AWS_SESSION_TOKEN has a blank",
            "set",
        ),
        ("", {**KEYS, "AWS_SESSION_TOKEN": "tökén"}, "no_credentials", "not ASCII", "set it again"),
        ("", {"AWS_ACCESS_KEY_ID": "AKID"}, "no_credentials", "missing: AWS_SECRET_ACCESS_KEY", "--profile"),
        # Regions
        ("", {**KEYS, "AWS_DEFAULT_REGION": "US East"}, "region_invalid", "'US East'", "--region us-east-2"),
    ],
)
def test_it_is_explained(
    machine: Machine, config: str, environ: dict[str, str], code: str, message: str, hint: str
) -> None:
    text = config if config.startswith("[") else f"[default]\n{config}"
    found = explained(machine(f"{text}\n", **{"AWS_DEFAULT_REGION": "us-east-2", **environ}))
    assert (found.code, found.exit_code) == (code, 3), found.message
    assert message in found.message
    assert hint in found.hint
    for secret in ("wJalrXUtnFEMI", "hunter2", "AKIDEXAMPLE", "tok en"):
        assert secret not in found.message + found.hint


@pytest.mark.parametrize(
    "environ", [{}, {"AWS_DEFAULT_REGION": ""}, {"AWS_REGION": " ", "AWS_DEFAULT_REGION": ""}]
)
def test_an_empty_region_is_none(machine: Machine, environ: dict[str, str]) -> None:
    found = explained(machine("[default]\n", **KEYS, **environ))
    assert (found.code, found.exit_code) == ("no_region", 3)


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ({"AWS_DEFAULT_REGION": ""}, "ca-central-1"),
        ({"AWS_REGION": "eu-west-1", "NWCHAT_AWS__REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_region_comes_from_settings_then_variables_then_profile(
    machine: Machine, environ: dict[str, str], region: str
) -> None:
    aws = machine("[default]\nregion = ca-central-1\n", **KEYS, **environ).aws
    assert aws.session.region_name == aws.client("sts").meta.region_name == region


def test_a_failure_is_the_same_the_second_time(machine: Machine) -> None:
    """botocore's sources remember what they have tried, and another thread may have been first."""
    app = machine(f"[default]\n{ROLE}source_profile = b\n[profile b]\ncredential_process = /no/such\n")
    first = explained(app)
    assert explained(app).message == first.message


def test_an_error_while_a_session_is_renewed_is_explained(machine: Machine, tmp_path: Path) -> None:
    program = tmp_path / "vault"
    made = {"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "s", "Expiration": "2015-01-01T00:00:00Z"}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(made)}'\n")
    program.chmod(stat.S_IRWXU)
    app = machine(f"[default]\nregion = us-east-2\ncredential_process = {program} --token hunter2\n")
    app.aws.client("sts")
    program.unlink()
    found = explained(app)
    assert f"its credential_process cannot run {program}" in found.message
    assert "hunter2" not in found.message + found.hint


def test_the_arguments_of_a_program_are_not_shown() -> None:
    assert process_program({"credential_process": "vault --token x"}) == "vault"
    assert process_program({"credential_process": 'vault "x'}) == "vault"
    assert process_program({"credential_process": "  "}) == process_program({}) == ""


def test_a_profile_of_aws_login_works_with_the_extra(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What awscrt brings. A session that has not ended is not signed with it.
    monkeypatch.setattr(botocore.credentials, "EC", object())
    user = "arn:aws:iam::123456789012:user/x"
    app = machine(f"[default]\nregion = us-east-2\nlogin_session = {user}\n")
    assert "aws login" in explained(app).hint
    token = {
        "accessToken": {
            "accessKeyId": "AKIDLOGIN",
            "secretAccessKey": "s",
            "sessionToken": "t",
            "accountId": "123456789012",
            "expiresAt": "2999-01-01T00:00:00Z",
        },
        "tokenType": "aws_sigv4",
        "refreshToken": "r",
        "idToken": "i",
        "clientId": "c",
        "dpopKey": "k",
    }
    cache = tmp_path / ".aws" / "login" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha256(user.encode()).hexdigest()}.json").write_text(json.dumps(token))
    again = machine(f"[default]\nregion = us-east-2\nlogin_session = {user}\n")
    again.aws.sign_in()
    found = again.aws.session.get_credentials()
    assert found is not None
    assert found.access_key == "AKIDLOGIN"


MFA = f"[default]\n{ROLE}source_profile = b\nmfa_serial = arn:aws:iam::1:mfa/x\n[profile b]\n"


def test_nobody_is_asked_for_a_code_without_a_terminal(machine: Machine) -> None:
    # What asks is replaced: stdin of a test run may be a terminal.
    app = machine(f"{MFA}aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n")
    app.json = True
    with pytest.raises(ChatError) as caught:
        _ = app.aws
    assert (caught.value.code, caught.value.exit_code) == ("mfa_required", 3)
    assert "MFA code" in caught.value.message
    assert "export-credentials" in caught.value.hint


def test_a_failed_sign_in_names_the_profile_of_the_settings(machine: Machine) -> None:
    config = MFA.replace("[default]", "[profile dojo]").replace("source_profile = b", "source_profile = c")
    app = machine(config, NWCHAT_AWS__PROFILE="dojo")
    found = explained(app)
    assert found.message.startswith('profile dojo of ~/.aws/config: The source_profile "c"')


def test_the_code_is_asked_for_once_and_before_anything_else(machine: Machine) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        raise ChatError("enough", code="asked")

    machine(f"{MFA}aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n")
    aws = Aws(Access(region="us-east-2"), ask_mfa_code=ask)
    with pytest.raises(ChatError) as caught:
        aws.sign_in()
    assert caught.value.code == "asked"
    assert asked == ["Enter MFA code for arn:aws:iam::1:mfa/x: "]


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_DEFAULTS_MODE": "bogus"},
        {
            "AWS_MAX_ATTEMPTS": "x",
            "AWS_METADATA_SERVICE_TIMEOUT": "x",
            "AWS_CSM_PORT": "x",
            "AWS_CSM_ENABLED": "1",
        },
        {"AWS_PROFILE": "nope", "AWS_STS_REGIONAL_ENDPOINTS": "x", "AWS_REQUEST_CHECKSUM_CALCULATION": "x"},
        {"AWS_CONFIG_FILE": "/", "AWS_SHARED_CREDENTIALS_FILE": "/", "AWS_DEFAULT_REGION": "US East"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_DATA_PATH": "/no"},
    ],
)
def test_the_sandbox_reads_no_aws_configuration(machine: Machine, environ: dict[str, str]) -> None:
    machine("[default\nregion us-east-2\n", AWS_REGION="US East", **environ)
    keys = StaticCredentials("AKIDEXAMPLE", "x")
    aws = Aws(Access(region="us-east-2", endpoint="http://127.0.0.1:1", credentials=keys))
    client: Any = aws.client("sts")
    assert (client.meta.region_name, client.meta.endpoint_url) == ("us-east-2", "http://127.0.0.1:1")
    found = aws.session.get_credentials()
    assert found is not None
    assert found.access_key == "AKIDEXAMPLE"
    assert aws.sign_in_kind() == ("", "")
