"""The settings with their defaults, bounds and meaning. Only this module uses pydantic's models."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, Self, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nwchatctl.config.origins import browser_origin
from nwchatctl.config.validation_errors import wrong_setting

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The values that CloudWatch Logs accepts (PutRetentionPolicy)."""

_TAG_TEXT = re.compile(r"[\w\s+\-=.:/@]*")
_MAX_TAGS = 48
"""A resource has at most 50 tags (AWS tagging limits), and two are the tool's own."""


def _check(is_valid: Callable[[str], object], requirement: str) -> AfterValidator:
    """A validator: the text must fulfil `is_valid`; the error says what it must be."""

    def check(text: str) -> str:
        if not is_valid(text):
            raise ValueError(f"must be {requirement}")
        return text

    return AfterValidator(check)


def _matching(pattern: str, requirement: str) -> AfterValidator:
    return _check(re.compile(pattern).fullmatch, requirement)


def _log_days(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError(f"must be one of {', '.join(map(str, LOG_RETENTION_DAYS))}")
    return days


def _on_or_off(value: object) -> object:
    # `true` and `false`, which were the only values of logs.access.
    words = {"1": "on", "true": "on", "yes": "on", "0": "off", "false": "off", "no": "off"}
    return words.get(str(value).strip().lower(), value) if isinstance(value, str | bool) else value


def _as_tuple(value: object) -> object:
    # TOML and JSON have only lists, and strict validation does not accept a list for a tuple.
    return tuple(value) if isinstance(value, list) else value


def _tags(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MAX_TAGS:
        raise ValueError(f"must be {_MAX_TAGS} at most")
    first: dict[str, str] = {}
    for key in tags:
        # IAM takes such keys for one, and other services for two (IAM user guide, "Tagging IAM resources").
        if (other := first.setdefault(key.casefold(), key)) != key:
            raise wrong_setting(f"tags.{key}", f"must differ from {other} by more than case")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise wrong_setting(
                f"tags.{key}", "must have a key of 1 to 128 characters, and a value of 256 at most"
            )
        if key.lower().startswith(("aws:", "nwchat:")):
            raise wrong_setting(f"tags.{key}", "must have a key that begins with neither aws: nor nwchat:")
        if not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value)):
            raise wrong_setting(f"tags.{key}", "must be made of letters, digits, spaces and _ . : / = + - @")
    return tags


_Count = Annotated[int, Field(le=1_000_000)]
_Rate = Annotated[float, Field(le=1_000_000)]
"""A hundred times what API Gateway takes from an account by default: more is a slip of the finger."""

_Word = _check(str.isprintable, "printable text")
_Name = Annotated[
    str,
    _check(
        lambda text: text.isprintable() and text == text.strip() and 0 < len(text) <= 40 and "," not in text,
        "1 to 40 printable characters without a comma, and without spaces at the ends",
    ),
]
_Origin = Annotated[str, AfterValidator(browser_origin)]
_Arn = Annotated[
    str,
    _matching(r"(arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+)?", "the ARN of an ACM certificate"),
]
_HostName = Annotated[
    str,
    _matching(
        r"((?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?)?",
        "a host name as chat.example.com, in lower case, without a scheme, a port or a path",
    ),
]
_Boundary = Annotated[
    str,
    _matching(
        r"([\w+=,.@-]{1,128}|arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\x21-\x7e]{1,512})?",
        'the name or the ARN of a managed policy, or "none"',
    ),
]
_Zone = Annotated[
    str,
    _matching(
        r"(none|Z[A-Z0-9]{1,31})?", 'the id of a Route 53 hosted zone (Z...), "none", or "" to find it'
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class AwsSettings(_Section):
    profile: Annotated[str, _Word] = Field(
        default="", description='Profile of ~/.aws/config; "" for boto3\'s choice'
    )
    region: Annotated[str, _matching("[a-z0-9-]{0,63}", "a region's name, as us-east-2")] = Field(
        default="", description='AWS region, as us-east-2; "" for boto3\'s choice'
    )


class ChatSettings(_Section):
    name: Annotated[str, _matching("[a-z][a-z0-9-]{0,23}", "1 to 24 of a-z, 0-9 and -, a letter first")] = (
        Field(
            default="ninjawars", description="Name of the chat, part of the name of everything that is built"
        )
    )
    echo_to_sender: bool = Field(
        default=True, description="Whether who writes a message gets it back as well"
    )
    allowed_origins: Annotated[tuple[_Origin, ...], BeforeValidator(_as_tuple)] = Field(
        default=(), description='Pages that may connect, as "https://example.com"; empty for all'
    )
    reserved_names: Annotated[tuple[_Name, ...], BeforeValidator(_as_tuple)] = Field(
        default=("operator",),
        description="Names that no player without a token may have, nor one that looks like them",
    )
    max_message_chars: int = Field(default=1000, ge=1, le=8000, description="Longest message, in characters")
    max_uname_chars: int = Field(
        default=40, ge=1, le=200, description="Longest name of a player, in characters"
    )
    rate_messages: _Count = Field(
        default=10, ge=1, description="Messages that one connection may send in rate_seconds"
    )
    rate_seconds: _Count = Field(
        default=10, ge=1, description="Seconds in which a connection may send rate_messages"
    )
    sender_messages: _Count = Field(
        default=30,
        ge=10,
        description="Frames that one player (without tokens: one address) may send in rate_seconds",
    )
    address_connections: int = Field(
        default=200, ge=10, le=1000, description="Open connections that one address may have"
    )


class StageSettings(_Section):
    name: Annotated[str, _matching("[A-Za-z0-9_-]{1,128}", "1 to 128 letters, digits, - and _")] = Field(
        default="production", description="Stage of the WebSocket API, part of its address"
    )
    throttle_rate: _Rate = Field(
        default=100.0, gt=0, description="Requests a second that the stage takes in all"
    )
    throttle_burst: _Count = Field(default=200, gt=0, description="Requests that it takes at once")
    ping_rate: _Rate = Field(
        default=0.0, ge=0, description="Pings a second, counted apart; 0 for a fifth of throttle_rate"
    )
    connect_rate: _Rate = Field(
        default=0.0, ge=0, description="New connections a second, likewise; 0 for a fifth of throttle_rate"
    )


def _network_ids(prefix: str) -> AfterValidator:
    """A validator of ids that begin with `prefix`, sorted and each once; "none" stands alone."""
    pattern = re.compile(rf"{prefix}-[0-9a-f]{{8,17}}")

    def check(ids: tuple[str, ...]) -> tuple[str, ...]:
        if ids != ("none",) and not all(map(pattern.fullmatch, ids)):
            raise ValueError(f"must be ids as {prefix}-0123456789abcdef0, or none alone")
        return tuple(sorted(set(ids)))

    return AfterValidator(check)


class FunctionSettings(_Section):
    runtime: Literal["python3.11", "python3.12", "python3.13", "python3.14"] = Field(
        default="python3.13", description="Lambda runtime: python3.11 to python3.14"
    )
    architecture: Literal["arm64", "x86_64"] = Field(
        default="arm64", description="arm64, or x86_64, which costs more"
    )
    memory_mb: int = Field(
        default=256, ge=128, le=10240, description="Memory of each function but fanout, in MB"
    )
    timeout_seconds: int = Field(
        default=25, ge=1, le=29, description="Longest run; API Gateway waits for 29 s at most"
    )
    log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARN or ERROR; no level logs messages, names or addresses"
    )
    snap_start: bool = Field(
        default=False, description="Start from a snapshot (python3.12 or newer); AWS charges for keeping it"
    )
    permissions_boundary: _Boundary = Field(
        default="",
        description="Managed policy that bounds the functions' roles: name, ARN or none",
    )
    subnets: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), _network_ids("subnet")] = Field(
        default=(),
        description="Subnets of a VPC; they need a NAT gateway: without one, no message is sent. "
        '["none"] leaves the VPC, [] keeps what was set by hand',
    )
    security_groups: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), _network_ids("sg")] = Field(
        default=(), description="Security groups in that VPC; their rules must allow HTTPS to AWS"
    )

    @model_validator(mode="after")
    def _networks(self) -> Self:
        if bool(self.security_groups) != (self.subnets not in ((), ("none",))):
            raise ValueError("must have security_groups with subnets, and none without")
        return self

    @model_validator(mode="after")
    def _snapshots(self) -> Self:
        # Lambda SnapStart: Python 3.12 and later.
        if self.snap_start and self.runtime == "python3.11":
            raise wrong_setting("functions.snap_start", "needs functions.runtime python3.12 or newer")
        return self


class SendingSettings(_Section):
    account_rate: _Count = Field(
        default=10_000, ge=1, description="Requests a second that API Gateway takes from the whole account"
    )
    reserve_rate: _Count = Field(
        default=2_000, ge=0, description="Of these, what sending to everybody leaves to all other requests"
    )

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.reserve_rate >= self.account_rate:
            raise wrong_setting(
                "sending.reserve_rate", "must be less than sending.account_rate, or nothing is sent"
            )
        return self


def _reserved(count: int | str) -> int | str:
    if count not in ("", "none") and not (isinstance(count, int) and 1 <= count <= 1_000_000):
        raise ValueError('must be 1 to 1000000, "none" or "": with 0 the function could not run')
    return count


class FanoutSettings(_Section):
    threshold: int = Field(
        default=250, ge=1, le=100_000, description="Connections up to which the message function sends itself"
    )
    segment_size: _Count = Field(
        default=25_000, ge=1, description="About so many connections are one function's part of a larger room"
    )
    memory_mb: int = Field(
        default=1769, ge=128, le=10240, description="Memory of the fanout function, in MB; 1769 is one core"
    )
    timeout_seconds: int = Field(
        default=300, ge=15, le=900, description="Longest run; what is left then goes on in a further one"
    )
    reserved_concurrency: Annotated[int | str, AfterValidator(_reserved)] = Field(
        default="",
        description='Concurrent executions reserved for fanout; "none" removes them, "" keeps them',
    )


class LogSettings(_Section):
    retention_days: Annotated[int, AfterValidator(_log_days)] = Field(
        default=30, description="Days that logs are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 ..."
    )
    access: Annotated[Literal["keep", "on", "off"], BeforeValidator(_on_or_off)] = Field(
        default="keep",
        description="Access logs: on, off, or keep for those set by hand; "
        "on needs a role: deploy --set-account-logging-role",
    )
    execution: Annotated[Literal["keep", "off", "error", "info"], BeforeValidator(_on_or_off)] = Field(
        default="keep",
        description="API Gateway's own log, without texts of messages: off, error, info, "
        "or keep for what was set by hand",
    )

    @property
    def needs_role(self) -> bool:
        """Whether the settings ask for logs that API Gateway writes with the account's logging role."""
        return self.access == "on" or self.execution in ("error", "info")


class TableSettings(_Section):
    retention_days: int = Field(default=90, ge=1, le=3650, description="Days that messages are kept")


class DomainSettings(_Section):
    name: _HostName = Field(
        default="", description='Name that the chat answers on, as chat.example.com; "" for AWS\'s own'
    )
    certificate_arn: _Arn = Field(
        default="", description='Its certificate, in the API\'s Region; "" finds one in ACM, or requests one'
    )
    zone_id: _Zone = Field(
        default="", description='Its Route 53 hosted zone; "" finds it, "none" where DNS lives elsewhere'
    )
    dual_stack: bool = Field(default=False, description="Whether the name is reached over IPv6 too")


class HistorySettings(_Section):
    enabled: bool = Field(
        default=True, description="Whether there is the history API: GET /messages over HTTP"
    )
    domain: _HostName = Field(
        default="", description="Name of the history API, another than the chat's; \"\" for AWS's own"
    )
    certificate_arn: _Arn = Field(default="", description="Its certificate, as domain.certificate_arn")
    zone_id: _Zone = Field(default="", description="Its hosted zone, as domain.zone_id")
    request_rate: _Rate = Field(
        default=50.0, gt=0, description="Requests a second that the history API takes in all"
    )
    request_burst: _Count = Field(default=100, gt=0, description="Requests that it takes at once")


class AuthSettings(_Section):
    mode: Literal["open", "token"] = Field(
        default="open", description="open: everybody under any name; token: only who has a signed token"
    )


class Settings(BaseSettings):
    """All settings. Created by `nwchatctl.config.load`; by itself it reads neither environment nor file."""

    model_config = SettingsConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    aws: AwsSettings = Field(default=AwsSettings(), description="How AWS is reached")
    chat: ChatSettings = Field(default=ChatSettings(), description="The chat itself")
    stage: StageSettings = Field(default=StageSettings(), description="The stage that clients connect to")
    functions: FunctionSettings = Field(default=FunctionSettings(), description="The Lambda functions")
    sending: SendingSettings = Field(
        default=SendingSettings(),
        description="An announcement or a message to all never takes the whole account's request quota",
    )
    fanout: FanoutSettings = Field(
        default=FanoutSettings(), description="How messages reach rooms too large for one function"
    )
    domain: DomainSettings = Field(default=DomainSettings(), description="The chat's own name")
    history: HistorySettings = Field(
        default=HistorySettings(), description="The history API, for pages and whoever has no socket"
    )
    auth: AuthSettings = Field(default=AuthSettings(), description="Who may come in")
    logs: LogSettings = Field(default=LogSettings(), description="Logs, in CloudWatch")
    tables: TableSettings = Field(default=TableSettings(), description="The DynamoDB tables")
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(
        default={}, description="AWS tags on everything that is built, beside our own"
    )

    @model_validator(mode="after")
    def _two_names(self) -> Self:
        # API Gateway: a domain that maps a WebSocket API maps no HTTP API.
        if self.domain.name and self.domain.name == self.history.domain:
            raise wrong_setting(
                "history.domain", "must be another name than domain.name: one name cannot be both"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only explicit values: `load` decides which environment and which file count."""
        return (init_settings,)


def sections() -> dict[str, type[BaseModel] | None]:
    """Each section's model; None for `tags`, whose keys are free."""
    return {
        name: field.annotation
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        else None
        for name, field in Settings.model_fields.items()
    }


def from_text(section: type[BaseModel], key: str, text: str) -> object:
    """A variable's text as its setting's type; text that cannot be converted is left for validation."""
    kind = section.model_fields[key].annotation
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False}
        return (words | {"no": False, "off": False}).get(text.strip().lower(), text)
    if kind in (int, int | str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        return int(text)
    if kind is float and re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\.[0-9]*)?\s*", text):
        return float(text)
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
