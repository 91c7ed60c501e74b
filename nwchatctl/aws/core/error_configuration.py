"""Errors of botocore about this machine: credentials, profiles and the AWS configuration.

Pure: `explain_configuration` maps an error to a ChatError by a table. The first row that matches counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore import exceptions as aws

from nwchatctl.aws.core.error_context import ErrorContext
from nwchatctl.aws.core.retry import is_header_error
from nwchatctl.errors import ChatError, Exit

LOGIN_EXTRA = "pip install 'nwchatctl[aws-login]'"
"""Installs what profiles of `aws login` need: botocore signs their token requests with awscrt."""


class UnusableCredentials(aws.BotoCoreError):
    """A key or token has a character that no request header may have. `where` names its variable or its
    source."""

    fmt = "{where} has {what}"


class CredentialSourceError(aws.BotoCoreError):
    """The source of the credentials cannot be used: a missing program or file, a wrong answer."""

    fmt = "{reason}"


class ConfigurationValueError(aws.BotoCoreError):
    """A setting of the AWS configuration cannot be read. `variable` is its environment variable, `key` its
    name in the profile."""

    fmt = "{reason}"


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """Errors of `types`. `cause` and `hint` are formatted with `{error}`, the values of ErrorContext and what
    the error itself names. `variable` and `key` are where its value comes from."""

    types: tuple[type[Exception], ...]
    name: str
    cause: str
    hint: str
    variable: str = ""
    key: str = ""


_IN_PROFILE = "{source}: {error}"
_MEND = "correct {place}, then run the command again"

ROWS: tuple[ConfigurationRow, ...] = (
    ConfigurationRow(
        (UnusableCredentials,),
        "no_credentials",
        "the AWS credentials cannot be used: {error}",
        "set it again without that, for example with `printf %s` instead of `echo` where a file is written",
    ),
    ConfigurationRow(
        (CredentialSourceError,),
        "no_credentials",
        "profile {profile} gives no AWS credentials: {error}",
        "correct the profile in {config_file}, or the AWS_* variables, or give another --profile",
    ),
    ConfigurationRow(
        (aws.MissingDependencyException,),
        "login_extra_missing",
        "profile {profile} was made by `aws login`, which needs a package that is not installed",
        f"{LOGIN_EXTRA}, or give another --profile",
    ),
    ConfigurationRow(
        (aws.LoginError,),
        "no_credentials",
        "the session of `aws login` is over, or there is none: {error}",
        "run `aws login{profile_option}`",
    ),
    ConfigurationRow(
        (aws.SSOError, aws.TokenRetrievalError),
        "no_credentials",
        "the SSO session of profile {profile} is over, or there is none: {error}",
        "run `aws sso login{profile_option}`",
    ),
    ConfigurationRow(
        (aws.NoCredentialsError,), "no_credentials", "there are no AWS credentials", "{sign_in}"
    ),
    ConfigurationRow(
        (aws.PartialCredentialsError,),
        "no_credentials",
        "the AWS credentials are incomplete: {error}",
        "{sign_in}",
    ),
    ConfigurationRow(
        (aws.RefreshWithMFAUnsupportedError,),
        "mfa_required",
        "the session of profile {profile} is over, and a new one needs an MFA code",
        "run the command again",
    ),
    ConfigurationRow(
        (aws.CredentialRetrievalError, aws.MetadataRetrievalError, aws.NoAuthTokenError),
        "no_credentials",
        "AWS credentials could not be retrieved: {error}",
        "{sign_in}",
    ),
    ConfigurationRow(
        (aws.ProfileNotFound,),
        "profile_unknown",
        "{error}",
        "`aws configure list-profiles` names those that exist",
    ),
    ConfigurationRow(
        (aws.NoRegionError,),
        "no_region",
        "there is no AWS region",
        "give --region, or set aws.region in nwchat.toml",
    ),
    ConfigurationRow(
        (aws.InvalidRegionError, aws.UnknownRegionError),
        "region_invalid",
        "there is no such AWS region: {error}",
        "give --region, for example --region us-east-2, or correct aws.region, AWS_REGION or {place}",
        "AWS_DEFAULT_REGION",
        "region",
    ),
    ConfigurationRow(
        (aws.ConfigParseError,),
        "aws_config",
        "{path} is no valid AWS configuration",
        "correct the file: each line is `[profile NAME]`, `key = value` or a comment; "
        "profile {profile} is used",
    ),
    ConfigurationRow(
        (aws.InvalidDefaultsMode,), "aws_config", _IN_PROFILE, _MEND, "AWS_DEFAULTS_MODE", "defaults_mode"
    ),
    ConfigurationRow(
        (aws.InvalidRetryModeError,), "aws_config", _IN_PROFILE, _MEND, "AWS_RETRY_MODE", "retry_mode"
    ),
    ConfigurationRow(
        (aws.InvalidSTSRegionalEndpointsConfigError,),
        "aws_config",
        _IN_PROFILE,
        _MEND,
        "AWS_STS_REGIONAL_ENDPOINTS",
        "sts_regional_endpoints",
    ),
    ConfigurationRow((ConfigurationValueError,), "aws_config", _IN_PROFILE, _MEND),
    ConfigurationRow(
        (
            aws.InvalidConfigError,
            aws.ConfigNotFound,
            aws.InvalidRetryConfigurationError,
            aws.InvalidChecksumConfigError,
            aws.InvalidProxiesConfigError,
            aws.InvalidEndpointConfigurationError,
            aws.InvalidEndpointDiscoveryConfigurationError,
            aws.InvalidIMDSEndpointError,
            aws.InvalidIMDSEndpointModeError,
            aws.UnsupportedSignatureVersionError,
            aws.UnknownSignatureVersionError,
            aws.UnknownTokenProviderError,
            aws.UnknownCredentialError,
            aws.UnknownServiceStyle,
            aws.DataNotFoundError,
            aws.EndpointProviderError,
            aws.BaseEndpointResolverError,
        ),
        "aws_config",
        _IN_PROFILE,
        "correct the profile in {config_file}, or the AWS_* variables, then run the command again",
    ),
)


def explain_configuration(error: BaseException, context: ErrorContext) -> ChatError | None:
    """The error for the operator, exit 3; None for an error that is about something else."""
    if is_header_error(error):
        error = UnusableCredentials(where="a key or the session token", what="a character that no header has")
    row = next((each for each in ROWS if isinstance(error, each.types)), None)
    if row is None:
        return None
    named: dict[str, Any] = getattr(error, "kwargs", {})
    variable, key = str(named.get("variable") or row.variable), str(named.get("key") or row.key)
    # A variable of the environment counts before the profile.
    profile = f"profile {context.profile} of {context.config_file}"
    source = variable if variable in context.environ else profile
    values = {
        "error": str(error).strip().rstrip("."),
        "profile": context.profile,
        "profile_option": context.profile_option,
        "config_file": context.config_file,
        "sign_in": context.sign_in,
        "path": named.get("path", context.config_file),
        "place": f"{key or 'the setting'} of {profile}" if source == profile else source,
        "source": source,
    }
    return ChatError(
        row.cause.format_map(values), hint=row.hint.format_map(values), code=row.name, exit_code=Exit.CONFIG
    )
