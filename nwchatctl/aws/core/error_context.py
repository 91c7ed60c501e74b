"""What explains an error: AWS's refusal, and what is known of the machine and the chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nwchatctl.aws.core.server_clock import parse_date

FACTS = "nwchatctl"
"""The key in `ResponseMetadata` of an error under which `RefusalFacts` stand."""

_SIGNED_AT = re.compile(r"(\d{8}T\d{6}Z).*?\((\d{8}T\d{6}Z)", re.S)
"""In "Signature expired: A is now earlier than B (C - 5 min.)" A is this machine's time, C is AWS's."""

_SECRET = re.compile(r"(AWS4-HMAC-SHA256|Authorization\s*=).*", re.S)
"""AWS repeats the header Authorization in IncompleteSignature."""


@dataclass(frozen=True, slots=True)
class RefusalFacts:
    """What only the response and its request tell. `resource` is "table NAME" or "function NAME", "" for
    others; `clock_offset` is this machine's time less AWS's when the response came, in seconds, None without
    a Date header."""

    service: str = ""
    region: str = ""
    resource: str = ""
    clock_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response of AWS. `message` is AWS's text."""

    code: str
    message: str = ""
    operation: str = ""
    facts: RefusalFacts = RefusalFacts()
    is_transient: bool = False

    @property
    def service(self) -> str:
        """The service as boto3 calls it; "" if it is unknown."""
        return self.facts.service

    @property
    def region(self) -> str:
        """The Region of the client; "" if it is unknown."""
        return self.facts.region

    @property
    def clock_offset(self) -> int | None:
        """As in RefusalFacts."""
        return self.facts.clock_offset

    @property
    def message_offset(self) -> int | None:
        """This machine's time less AWS's, in seconds, by the two times in the message; None without them."""
        found = _SIGNED_AT.search(self.message)
        if found is None:
            return None
        try:
            local, server = (datetime.strptime(each, "%Y%m%dT%H%M%SZ") for each in found.groups())
        except ValueError:
            return None
        return round((local - server).total_seconds())

    @property
    def text(self) -> str:
        """AWS's text without secrets and without the environment that Lambda repeats; the code if there is
        no text."""
        before, measured, _ = self.message.partition("String measured")
        shown = f"{before}{measured} (hidden)" if measured else self.message
        return _SECRET.sub("(hidden)", shown) or self.code


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """The machine and the chat. `deploy` is the command that deploys the chat; `profile` is the AWS profile
    in use, `config_file` the file that has it; `environ` the names of the AWS_* variables that are set."""

    deploy: str = "nwchatctl deploy"
    profile: str = "default"
    config_file: str = "~/.aws/config"
    sign_in_kind: str = ""
    """How the profile signs in: "sso", "login", "process", "env" (keys in the environment), "" for anything
    else."""
    process: str = ""
    """The program of the profile's `credential_process`, without its arguments."""
    environ: frozenset[str] = frozenset()

    @property
    def profile_option(self) -> str:
        """The option of the AWS CLI that names the profile, with a blank before it; "" for the default."""
        return "" if self.profile == "default" else f" --profile {self.profile}"

    @property
    def sign_in(self) -> str:
        """What gives valid credentials."""
        match self.sign_in_kind:
            case "sso":
                return f"run `aws sso login{self.profile_option}`"
            case "login":
                return f"run `aws login{self.profile_option}`"
            case "process":
                return f"check `{self.process}`, the credential_process of profile {self.profile}"
            case "env":
                return "replace AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or unset them"
            case _:
                return (
                    "give --profile NAME, set AWS_PROFILE, or run `aws configure`; "
                    "`--sandbox` needs no account"
                )


def facts_of(response: Mapping[str, Any]) -> RefusalFacts:
    """The facts that `record_facts` added to an error response; unknown ones without them."""
    found = response.get("ResponseMetadata", {}).get(FACTS)
    if isinstance(found, RefusalFacts):
        return found
    return RefusalFacts()


def clock_offset(headers: Mapping[str, str], local_ms: int) -> int | None:
    """`local_ms` (epoch ms) less the Date of a response with these headers, in seconds; None without one."""
    date_ms = parse_date(headers.get("date", ""))
    return None if date_ms is None else round((local_ms - date_ms) / 1000)
