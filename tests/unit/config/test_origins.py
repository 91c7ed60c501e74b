from __future__ import annotations

import pytest

from nwchatctl.config.origins import browser_origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.ninjawars.net",
        "http://localhost:8000",
        "http://[::1]:8080",
        "https://a.example:80",
        "chrome-extension://abcdef",
    ],
)
def test_what_browsers_send_is_accepted(origin: str) -> None:
    assert browser_origin(origin) == origin


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("https://a.example:443", "write https://a.example"),
        ("http://a.example:80", "write http://a.example"),
        ("https://a.example:08443", "write https://a.example:8443"),
        ("https://a.example/", "write https://a.example"),
        ("https://a.example/chat?x#y", "write https://a.example"),
        ("https://A.Example", "write https://a.example"),
        ("https://user@a.example", "write https://a.example"),
        ("https://münchen.example", "write https://xn--mnchen-3ya.example"),
        ("https://*.a.example", "write https://www.a.example and the others"),
        ("*", "left empty to accept all pages"),
    ],
)
def test_what_no_browser_sends_is_refused_with_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        browser_origin(text)
    assert str(caught.value).endswith(instead + (", without *" if text == "*" else ""))


@pytest.mark.parametrize(
    "text", ["", "a.example", "https://", "null", "https://a.example:99999", "https://a b"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as browsers send it"):
        browser_origin(text)
