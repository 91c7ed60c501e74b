"""Which proxy a URL is reached through, and that no text shows a proxy's password."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

import pytest

from nwchatctl.net.proxies import Proxies, UnsupportedProxy, proxies_of, public_address

HTTP = "http://10.0.0.1:3128"
OTHER = "http://10.0.0.2:8080"
AWS = "https://sts.us-east-2.amazonaws.com"


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, AWS, ""),
        ({"HTTPS_PROXY": HTTP}, AWS, HTTP),
        ({"https_proxy": HTTP}, AWS, HTTP),
        ({"https_proxy": HTTP, "HTTPS_PROXY": OTHER}, AWS, HTTP),
        ({"https_proxy": "", "HTTPS_PROXY": OTHER}, AWS, ""),
        ({"HTTPS_PROXY": HTTP}, "wss://x.execute-api.us-east-2.amazonaws.com/p", HTTP),
        ({"HTTPS_PROXY": HTTP}, "http://127.0.0.1:4566/", ""),
        ({"HTTP_PROXY": HTTP}, "http://127.0.0.1:4566/", HTTP),
        ({"HTTP_PROXY": HTTP}, "ws://127.0.0.1:4566/", HTTP),
        ({"HTTP_PROXY": HTTP}, AWS, ""),
        ({"HTTPS_PROXY": HTTP, "NO_PROXY": "amazonaws.com"}, AWS, ""),
        ({"HTTPS_PROXY": HTTP, "no_proxy": ".amazonaws.com , localhost"}, AWS, ""),
        ({"HTTPS_PROXY": HTTP, "NO_PROXY": "*"}, AWS, ""),
        ({"HTTPS_PROXY": HTTP, "NO_PROXY": "example.com"}, AWS, HTTP),
        ({"HTTPS_PROXY": HTTP, "NO_PROXY": "a.example.com:444"}, "wss://a.example.com:444/", ""),
        ({"HTTPS_PROXY": HTTP, "NO_PROXY": "a.example.com:444"}, "wss://a.example.com/", HTTP),
        ({"HTTPS_PROXY": "10.0.0.1:3128"}, AWS, HTTP),
        ({"HTTPS_PROXY": "//10.0.0.1:3128"}, AWS, HTTP),
        ({"HTTPS_PROXY": f" {HTTP}\n"}, AWS, HTTP),
        ({"HTTPS_PROXY": "http://u:p%40ss@10.0.0.1:3128"}, AWS, "http://u:p%40ss@10.0.0.1:3128"),
        ({"HTTPS_PROXY": "https://10.0.0.1:3128"}, AWS, "https://10.0.0.1:3128"),
        # Older versions of libcurl take 1080, all other clients the scheme's port.
        ({"HTTPS_PROXY": "http://proxy.example"}, AWS, "http://proxy.example:80"),
        ({"HTTPS_PROXY": "u:p@proxy.example/"}, AWS, "http://u:p@proxy.example:80/"),
        ({"HTTPS_PROXY": "http://[fd00::1]"}, AWS, "http://[fd00::1]:80"),
        ({"HTTPS_PROXY": "http://proxy.example:"}, AWS, "http://proxy.example:80"),
        ({"HTTPS_PROXY": "https://proxy.example"}, AWS, "https://proxy.example:443"),
        # Neither boto3 nor the AWS CLI reads these.
        ({"ALL_PROXY": "socks5://10.0.0.1:1080"}, AWS, ""),
        ({"SOCKS_PROXY": "socks5://10.0.0.1:1080"}, "wss://a.example.com/", ""),
        ({"HTTPS_PROXY": "socks5://10.0.0.1:1080", "NO_PROXY": "amazonaws.com"}, AWS, ""),
    ],
)
def test_proxy_for_a_url(environ: Mapping[str, str], url: str, proxy: str) -> None:
    assert proxies_of(environ, "linux").for_url(url) == proxy


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks5", "socks5h", "SOCKS5"])
def test_socks_is_refused_with_the_way_out(scheme: str) -> None:
    proxies = proxies_of({"HTTPS_PROXY": f"{scheme}://user:hunter2@10.0.0.1:1080"}, "linux")
    with pytest.raises(UnsupportedProxy) as caught:
        proxies.for_url("wss://chat.example.com/")
    assert str(caught.value) == (
        f"HTTPS_PROXY names a SOCKS proxy, which is not supported ({scheme.lower()}://10.0.0.1:1080): set "
        "HTTPS_PROXY to an HTTP proxy (http://HOST:PORT), or add chat.example.com to NO_PROXY"
    )


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://user:hunter2@",
        "http://user:hunter2@10.0.0.1:port",
        "http://user:hunter2@10.0.0.1:99999",
        "http://user:hunter2@10.0.0.1:0",
        "http://user:hun ter2@10.0.0.1:3128",
        "http://user:hunter2@[::1:3128",
        "ftp://user:hunter2@10.0.0.1:21",
    ],
)
def test_invalid_proxy_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(UnsupportedProxy) as caught:
        proxies_of({"HTTPS_PROXY": value}, "linux").for_url(AWS)
    assert str(caught.value).startswith("HTTPS_PROXY ")
    assert "hun" not in str(caught.value)


def test_repr_has_no_password() -> None:
    assert "hunter2" not in repr(proxies_of({"HTTPS_PROXY": "http://user:hunter2@10.0.0.1:1"}, "linux"))


@pytest.mark.parametrize(
    ("proxy", "public"),
    [
        ("http://user:hunter2@proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("t:t@proxy.example.com", "http://proxy.example.com"),
        ("http://u:p@h:port", "an invalid address"),
    ],
)
def test_public_address(proxy: str, public: str) -> None:
    assert public_address(proxy) == public


def test_system_settings_of_macos_count_if_the_environment_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        urllib.request, "getproxies", lambda: {"https": HTTP, "socks": "http://10.0.0.1:1080"}
    )
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host == "local.example.com")
    system = proxies_of({}, "darwin")
    assert system == Proxies(of_system=True)
    assert system.for_url("wss://chat.example.com/") == HTTP
    assert system.for_url("wss://local.example.com/") == ""
    assert proxies_of({"HTTPS_PROXY": OTHER}, "darwin").for_url(AWS) == OTHER
    assert proxies_of({}, "linux").for_url(AWS) == ""
