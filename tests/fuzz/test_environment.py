"""Any environment: variables of the chat, of AWS and of the terminal never end a command in a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st

from nwchatctl.config.settings import sections
from nwchatctl.config.sources import PREFIX, RESERVED_VARIABLES
from tests.fuzz.program import examples, require_sound, run

pytestmark = pytest.mark.timeout(method="thread")
"""Commands use the signal that pytest-timeout uses by default."""

SETTINGS = tuple(
    f"{PREFIX}{section}__{key}".upper()
    for section, model in sections().items()
    for key in (model.model_fields if model is not None else ("TEAM",))
)
OWN = (
    *SETTINGS,
    *RESERVED_VARIABLES,
    "NWCHAT_",
    "NWCHAT_PORT",
    "NWCHAT_TAGS__",
    "NWCHAT_CHAT__NAM",
    "NWCHAT_\udcff",
)
TERMINAL = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "LANG", "LC_ALL", "TZ", "HOME", "PWD")
AWS = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_CA_BUNDLE", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_DEFAULTS_MODE", "AWS_ENDPOINT_URL"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_DATA_PATH"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "HTTPS_PROXY"),
    *(
        "AWS_ENDPOINT_URL_STS",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        "AWS_SDK_UA_APP_ID",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
    ),
)
WORDS = (
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "80",
        "9" * 30,
        "²",
        "nan",
        "1e400",
        "true",
        "off",
        "auto",
        "none",
        "dumb",
        "C",
    ),
    *(
        "default",
        "missing",
        "us-east-2",
        "US EAST",
        "http://127.0.0.1:9",
        "tcp://10.0.0.1:80",
        "socks5://x:1",
    ),
    *(
        "/dev/zero",
        "/dev/null",
        "/",
        ".",
        "nwchat.toml",
        "broken",
        "~x/y",
        "a\nb",
        "\x1b[2J",
        "\udcff",
        "x" * 5000,
    ),
    *("a.b,c", "https://a.example, https://b.example", "é", "arn:aws:iam::1:role/x", "name = 1", "token"),
)
VALUES = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=()), max_size=8
).filter(
    _encodable := lambda text: (
        not any("\ud800" <= each < "\udc80" or "\udcff" < each <= "\udfff" for each in text)
    )
)


def variables(*names: str) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("environment")
    (made / "nwchat.toml").write_text('[chat]\nname = "ninjawars"\n')
    (made / "broken").write_text("[default\nregion")
    return made


@examples(1300)
@given(
    variables(*OWN, *TERMINAL),
    st.sampled_from(
        [["config", "show"], ["config", "path"], ["sandbox", "status"], ["--sandbox", "ban", "list"]]
    ),
    st.sampled_from([(), ("--json",), ("--color", "always")]),
)
def test_any_environment_gives_settings_or_one_error(
    folder: Path, environ: dict[str, str], command: list[str], options: tuple[str, ...]
) -> None:
    require_sound(run([*command, *options], environ, folder))


@pytest.fixture(scope="module")
def refusing_aws() -> Iterator[None]:
    """AWS refuses every call; nothing leaves the machine."""

    class Raw:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield b'{"__type": "AccessDeniedException", "message": "no"}'

    def send(self: Any, request: Any) -> AWSResponse:
        headers: Any = {"content-type": "application/x-amz-json-1.0", "content-length": "52"}
        return AWSResponse(request.url, 400, headers, Raw())

    with mock.patch.object(URLLib3Session, "send", send):
        yield


BASE: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-2",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@examples(150)
@given(
    variables(*AWS, *TERMINAL),
    st.sampled_from([["status"], ["history", "tail", "--json"], ["connections", "list"]]),
)
def test_any_configuration_of_aws_ends_in_a_refusal(
    folder: Path, refusing_aws: None, environ: dict[str, str], argv: list[str]
) -> None:
    require_sound(run(argv, {"HOME": str(folder), **BASE, **environ}, folder))
