"""Every client that dials out, as one function each: it sends a request to an https URL, and returns "" if it
is answered, otherwise why it failed. All of them read the environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import HTTPClientError

from nwchat import runtime
from nwchat.delivery.outcome import Failed
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.core.session import Access, Aws
from nwchatctl.aws.management_api import transport
from nwchatctl.chat.smoke_test import SocketClosed
from nwchatctl.net.http_client import get
from nwchatctl.net.network import Network
from nwchatctl.net.websocket_client import WebSocket
from tests.adapters.nwchat.delivery.transport_run import send

Client = Callable[[str], str]


def socket_transport(url: str) -> str:
    return posted(SocketTransport(), url)


def curl_transport(url: str) -> str:
    return posted(transport(Aws(Access(region="us-east-2"))), url)


def transport_without_pycurl(url: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nwchatctl.net.curl_transport", None)
        made = transport(Aws(Access(region="us-east-2")))
    assert isinstance(made, SocketTransport)
    return posted(made, url)


def functions(url: str) -> str:
    cached = (runtime.config, runtime.poster, runtime._tls, runtime._credentials)
    for each in cached:
        each.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NWCHAT_ENDPOINT", url)
            poster = runtime.poster()
            with closing(poster._transport):
                return _reason(poster.post("one", b"hi"))
    finally:
        for each in cached:
            each.cache_clear()


def boto3_client(url: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        client = Aws(Access(region="us-east-2")).client("dynamodb", retries=False)
    # The stub's answer is none of DynamoDB's, which is enough here.
    with closing(client), pytest.raises(Exception) as caught:
        client.get_item(TableName="t", Key={"id": {"S": "1"}})
    known = to_chat_error(caught.value)
    assert known is not None
    return known.message if isinstance(caught.value, BotoConnectionError | HTTPClientError) else ""


def network() -> Network:
    """As a command has it."""
    return Aws(Access(region="us-east-2")).network


def web_socket(url: str) -> str:
    try:
        WebSocket.open(url.replace("https:", "wss:"), network=network())
    except SocketClosed as error:
        # The stub answers every request so, which is enough here.
        assert error.status == 200
        return ""
    except OSError as error:
        return str(error)
    raise AssertionError("the stub does not speak WebSocket")


def http_client(url: str) -> str:
    try:
        assert get(url, 10, network=network()).status == 200
    except OSError as error:
        return str(error)
    return ""


def posted(transport: Transport, url: str) -> str:
    with closing(transport):
        sent = send(transport, url, ["one"], attempts=1)
    return _reason(sent.outcomes["one"])


def _reason(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, Failed) else ""


OPERATORS: tuple[Client, ...] = (
    boto3_client,
    curl_transport,
    transport_without_pycurl,
    web_socket,
    http_client,
)
"""The clients of the tool."""
