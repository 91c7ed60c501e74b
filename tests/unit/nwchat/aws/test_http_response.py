from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.aws.http_response import MAX_BODY_BYTES, MAX_HEAD_BYTES, HttpResponse, parse_response

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (OK, HttpResponse(200, b"", True, True)),
        (OK + b"x", HttpResponse(200, b"", True, False)),
        (b"HTTP/1.1 204 No\r\n\r\n", HttpResponse(204, b"", True, True)),
        (b"HTTP/1.1 200\r\nContent-Length:  2 \r\n\r\nab", HttpResponse(200, b"ab", True, True)),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n",
            HttpResponse(200, b"", True, False),
        ),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", HttpResponse(200, b"", True, False)),
        (b"HTTP/1.1 403 x\r\n\r\nab", HttpResponse(403, b"ab", False, False, True)),
        (b"HTTP/1.1 403 x\r\ncontent-length: 3\r\n\r\nab", HttpResponse(403, b"ab", False, False)),
        (CHUNKED + b"2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n", HttpResponse(403, b"abcde", True, True)),
        (CHUNKED + b"2\r\nab\r\n0\r\nX: y\r\n\r\n", HttpResponse(403, b"ab", True, True)),
        (CHUNKED + b"2\r\nab\r\n0\r\n\r\nrest", HttpResponse(403, b"ab", True, False)),
        (CHUNKED + b"2\r\nab\r\n5", HttpResponse(403, b"ab", False, True)),
        (CHUNKED + b"5\r\nab", HttpResponse(403, b"ab", False, True)),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + OK, HttpResponse(200, b"", True, True)),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"", None),
        (b"HTT", None),
        (OK[:-1], None),
    ],
)
def test_reading(data: bytes, answer: HttpResponse | None) -> None:
    assert parse_response(data) == answer


@pytest.mark.parametrize(
    "data",
    [
        b"SSH",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        CHUNKED + b"none\r\n",
        CHUNKED + b"-5\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_response(data)


def test_a_body_is_bounded() -> None:
    head = b"HTTP/1.1 403 x\r\n"
    many = b"x" * MAX_BODY_BYTES * 2
    for data in (
        head + b"\r\n" + many,
        head + b"content-length: 999999\r\n\r\n" + many,
        CHUNKED + b"fffffff\r\n" + many,
    ):
        answer = parse_response(data)
        assert answer is not None
        assert len(answer.body) == MAX_BODY_BYTES


@settings(deadline=None)
@given(
    status=st.integers(200, 599),
    pieces=st.lists(st.binary(max_size=20), max_size=4),
    chunked=st.booleans(),
    data=st.data(),
)
def test_a_part_of_an_answer_is_never_taken_for_the_whole(
    status: int, pieces: list[bytes], chunked: bool, data: st.DataObject
) -> None:
    body = b"".join(pieces)
    if chunked:
        coded = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces if each) + b"0\r\n\r\n"
        whole = b"HTTP/1.1 %d x\r\ntransfer-encoding: chunked\r\n\r\n%s" % (status, coded)
    else:
        whole = b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
    if status in (204, 304):
        return
    assert parse_response(whole) == HttpResponse(status, body, True, True)
    part = parse_response(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert part is None or (not part.complete and body.startswith(part.body) and part.status == status)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_response(data)
