"""Variables of Kubernetes and Docker are no settings, and nothing else is taken for one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nwchatctl.config import load
from nwchatctl.config.service_links import is_service_link
from nwchatctl.context import App, GlobalOptions
from nwchatctl.errors import ChatError

# As the Kubernetes documentation lists them for a service, here `nwchat`, `nwchat-web` and `nwchat-chat`.
LINKS = {
    "NWCHAT_SERVICE_HOST": "10.0.0.11",
    "NWCHAT_SERVICE_PORT": "6379",
    "NWCHAT_SERVICE_PORT_HTTP": "8080",
    "NWCHAT_PORT": "tcp://10.0.0.11:6379",
    "NWCHAT_PORT_6379_TCP": "tcp://10.0.0.11:6379",
    "NWCHAT_PORT_6379_TCP_PROTO": "tcp",
    "NWCHAT_PORT_6379_TCP_PORT": "6379",
    "NWCHAT_PORT_6379_TCP_ADDR": "10.0.0.11",
    "NWCHAT_PORT_53_UDP": "udp://10.0.0.11:53",
    "NWCHAT_WEB_SERVICE_HOST": "fd00::11",
    "NWCHAT_WEB_PORT_80_TCP_ADDR": "fd00::11",
    "NWCHAT_CHAT_PORT": "tcp://[fd00::11]:80",
    "NWCHAT_WEB_PORT_80_SCTP_PROTO": "sctp",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_service_link_is_ignored(tmp_path: Path, name: str) -> None:
    assert is_service_link(name, LINKS[name])
    assert load(None, cwd=tmp_path, environ={name: LINKS[name]}, flags={}).ignored == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NWCHAT_PORT", "8080"),
        ("NWCHAT_PORT", "http://10.0.0.11:80"),
        ("NWCHAT_SERVICE_PORT", "tcp"),
        ("NWCHAT_SERVICE_HOST", "a b"),
        ("NWCHAT_PORTS", "tcp://10.0.0.11:6379"),
        ("NWCHAT_STAGE_NAME", "tcp"),
        ("NWCHAT_CHAT_NAME", "tcp://10.0.0.11:6379"),
        ("NWCHAT_AWS_REGION", "us-east-2"),
        ("nwchat_port", "tcp://10.0.0.11:6379"),
    ],
)
def test_other_variables_are_refused_as_before(tmp_path: Path, name: str, value: str) -> None:
    assert not is_service_link(name, value)
    if name.startswith("NWCHAT_"):
        with pytest.raises(ChatError, match=f"unknown variable {name}"):
            load(None, cwd=tmp_path, environ={name: value}, flags={})


def test_a_setting_is_no_service_link(tmp_path: Path) -> None:
    environ = {"NWCHAT_CHAT__NAME": "dojo", "NWCHAT_TAGS__PORT": "tcp://10.0.0.11:6379", **LINKS}
    found = load(None, cwd=tmp_path, environ=environ, flags={})
    assert found.settings.chat.name == "dojo"
    assert found.settings.tags == {"PORT": "tcp://10.0.0.11:6379"}
    assert found.ignored == tuple(sorted(LINKS))


@pytest.mark.parametrize("verbose", [True, False])
def test_what_is_ignored_is_said_with_v_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    app = App(environ={"NWCHAT_PORT": "tcp://10.0.0.11:6379"}, options=GlobalOptions(verbose=verbose))
    assert app.settings.chat.name == "ninjawars"
    warning = "warning: ignored, as variables of Kubernetes or Docker: NWCHAT_PORT\n"
    assert capsys.readouterr().err == (warning if verbose else "")
