"""Opens boto3's session: where its configuration and its credentials come from, and checks of both.

botocore lets errors of Python escape where a credential source cannot be used (FileNotFoundError for a
missing `credential_process`, ValueError for its wrong output). Here they become errors that name the source.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import botocore.session
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from nwchatctl.aws.core.answers import AnswerParserFactory
from nwchatctl.aws.core.error_configuration import (
    ConfigurationValueError,
    CredentialSourceError,
    UnusableCredentials,
)
from nwchatctl.aws.core.network import make_client
from nwchatctl.aws.core.response_facts import record_facts
from nwchatctl.aws.core.service_models import ServiceModels
from nwchatctl.errors import ChatError
from nwchatctl.net.network import Network
from nwchatctl.net.proxies import UnsupportedProxy

Prompt = Callable[[str], str]
"""Asks for an MFA code; its argument is botocore's question, which names the device."""

_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_USABLE = re.compile(r"[!-~]*")
"""What may stand in a request header: ASCII without blanks and control characters."""

_MAX_SOURCES = 10
"""How long a chain of `source_profile` is followed."""

Variables = dict[str, tuple[Any, Any, Any, Any]]


def open_session(
    profile: str, region: str, keys: tuple[str, str] | None, prompt: Prompt
) -> boto3.session.Session:
    """A boto3 session. With `keys` (id and secret) it reads no AWS configuration: no files, no variables. An
    empty `profile` or `region` is boto3's default; AWS_DEFAULT_REGION is not read here.

    Raises botocore's errors.
    """
    core = _Session(prompt, session_vars=_no_configuration() if keys else _without_region_variable())
    core.register_component("data_loader", ServiceModels())
    core.register_component("response_parser_factory", AnswerParserFactory())
    return boto3.session.Session(
        botocore_session=core,
        profile_name=profile or None,
        region_name=region or None,
        aws_access_key_id=keys[0] if keys else None,
        aws_secret_access_key=keys[1] if keys else None,
    )


def create_client(
    session: boto3.session.Session, service: str, endpoint: str, network: Network, **config: Any
) -> Any:
    """A client of the session that connects as `network` says, with the fields of botocore's Config; its
    errors carry RefusalFacts. An empty `endpoint` is AWS's. Raises botocore's errors, UnsupportedProxy, and
    ConfigurationValueError for a setting of the AWS configuration that cannot be read."""
    # boto3's own type wants a literal name for each service.
    make: Any = session.client
    try:
        client = make_client(make, service, endpoint, network, **config)
    except (BotoCoreError, ClientError, ChatError, UnsupportedProxy):
        raise
    except Exception as error:
        raise _value_error(session._session, error) from error
    record_facts(client)
    return client


def source_profile(profiles: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The profile that has the credentials of `name`: itself, or the last of its `source_profile`s."""
    found: Mapping[str, Any] = profiles.get(name, {})
    for _ in range(_MAX_SOURCES):
        source = found.get("source_profile")
        if not source or source not in profiles or profiles[source] is found:
            break
        found = profiles[source]
    return found


def process_program(profile: Mapping[str, Any]) -> str:
    """The program of a profile's `credential_process`, without its arguments, which may be secret; "" without
    one."""
    text = str(profile.get("credential_process", ""))
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words[0] if words else ""


class _Session(botocore.session.Session):
    """A session whose credentials are checked, and whose MFA codes come from `prompt`."""

    def __init__(self, prompt: Prompt, session_vars: Variables) -> None:
        super().__init__(session_vars=session_vars)
        self._mfa_prompt = prompt
        self._is_checked = False
        self._failure: Exception | None = None

    def get_credentials(self) -> Any:
        """The credentials, None if there are none. Raises botocore's errors, CredentialSourceError and
        UnusableCredentials."""
        if self._is_checked:
            return super().get_credentials()
        if self._failure is not None:
            # botocore's sources remember what they have tried: another attempt fails for another reason.
            raise self._failure
        try:
            found = self._guarded(self._load_credentials)()
            if found is not None:
                _check_characters(found)
                _check_expiry(found)
        except Exception as error:
            self._failure = error
            raise
        if (refresh := getattr(found, "_refresh_using", None)) is not None:
            found._refresh_using = self._guarded(refresh)
        self._is_checked = True
        return found

    def sign_in_kind(self) -> tuple[str, str]:
        """How the profile in use signs in, and the program of its credential_process: as in ErrorContext.
        Raises botocore's errors."""
        name = self.get_config_variable("profile") or "default"
        profile = source_profile(self.full_config.get("profiles", {}), name)
        if program := process_program(profile):
            return "process", program
        if "sso_account_id" in profile and ("sso_session" in profile or "sso_start_url" in profile):
            return "sso", ""
        return ("login" if "login_session" in profile else ""), ""

    def _load_credentials(self) -> Any:
        if getattr(self, "_credentials", None) is None:
            resolver: Any = self.get_component("credential_provider")
            for provider in resolver.providers:
                if provider.METHOD == "assume-role":
                    provider._prompter = self._mfa_prompt
        return super().get_credentials()

    def _guarded(self, load: Callable[[], Any]) -> Callable[[], Any]:
        """`load`, whose errors name the source of the credentials."""

        def guarded() -> Any:
            try:
                return load()
            except ParamValidationError as error:
                # Of the call that assumes a role, with values of the profile.
                report = " ".join(str(error.kwargs.get("report", "")).split())
                raise CredentialSourceError(reason=report) from error
            except (BotoCoreError, ClientError, ChatError):
                raise
            except Exception as error:
                raise CredentialSourceError(reason=self._reason(error)) from error

        return guarded

    def _reason(self, error: Exception) -> str:
        name = self.profile or "default"
        program = process_program(source_profile(self.full_config.get("profiles", {}), name))
        if program and isinstance(error, OSError):
            return f"its credential_process cannot run {program}: {error.strerror or type(error).__name__}"
        if program:
            return f"its credential_process, {program}, prints something else than credentials in JSON"
        if isinstance(error, OSError):
            file = f"{error.filename}: " if error.filename else ""
            return f"{file}{error.strerror or type(error).__name__}"
        return str(_value_error(self, error))


def _no_configuration() -> Variables:
    """Every variable of a session at its default, without files and environment."""
    found: Variables = {
        name: (None, None, default, None)
        for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    nothing = (None, None, os.devnull, None)
    return {**found, "config_file": nothing, "credentials_file": nothing}


def _without_region_variable() -> Variables:
    """AWS_DEFAULT_REGION is not read: an empty one would hide the profile's Region."""
    return {"region": ("region", None, None, None)}


def _check_characters(credentials: Any) -> None:
    """Raises UnusableCredentials if a key or a token cannot stand in a header, as one that ends in a line
    break."""
    if not isinstance(credentials, Credentials) or hasattr(credentials, "_refresh_using"):
        # Others are read from JSON that AWS made.
        return
    values = (credentials.access_key, credentials.secret_key, credentials.token)
    for number, value in enumerate(values):
        if value is None or _USABLE.fullmatch(str(value)):
            continue
        variable = next((name for name in _KEY_VARIABLES if os.environ.get(name) == value), "")
        part = ("the access key id", "the secret access key", "the session token")[number]
        raise UnusableCredentials(
            where=variable or f"{part} of {credentials.method}", what=_odd_part(str(value))
        )


def _check_expiry(credentials: Any) -> None:
    """Raises CredentialSourceError if the time at which the credentials expire has no time zone."""
    if (is_due := getattr(credentials, "refresh_needed", None)) is None:
        return
    try:
        is_due()
    except TypeError as error:
        reason = "the time at which they expire (AWS_CREDENTIAL_EXPIRATION, or Expiration) has no time zone"
        raise CredentialSourceError(reason=reason) from error


def _odd_part(value: str) -> str:
    place = " at its end" if _USABLE.fullmatch(value.rstrip()) else ""
    if "\n" in value or "\r" in value:
        return f"a line break{place}"
    return f"a blank or control character{place}" if value.isascii() else "a character that is not ASCII"


def _value_error(session: Any, error: Exception) -> ConfigurationValueError:
    """The error about the first variable of the session that cannot be read; about `error` if all can."""
    for name, (key, variable, _, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        try:
            session.get_config_variable(name)
        except Exception as cause:
            return ConfigurationValueError(reason=f"{key}: {cause}", variable=variable, key=key)
    return ConfigurationValueError(reason=str(error) or type(error).__name__, variable="", key="")
