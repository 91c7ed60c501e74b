from __future__ import annotations

import pytest

from nwchat.delivery.connecting import Proxy
from nwchatctl.net.http_proxy import parse_proxy


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("", None),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://proxy.example", Proxy("proxy.example", 80)),
        ("http://[::1]:8080/", Proxy("::1", 8080)),
        ("http://user:w%40rd@proxy.example:1", Proxy("proxy.example", 1, "Basic dXNlcjp3QHJk")),
        ("//user@proxy.example:1", Proxy("proxy.example", 1, "Basic dXNlcjo=")),
    ],
)
def test_url_of_a_proxy(url: str, proxy: Proxy | None) -> None:
    assert parse_proxy(url) == proxy


def test_password_is_not_shown() -> None:
    assert repr(parse_proxy("http://user:word@proxy.example:1")) == "Proxy(host='proxy.example', port=1)"
