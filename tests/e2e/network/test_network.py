"""Commands on an AWS behind a proxy and a company's certificate: what `status` reaches, `smoke` and
`broadcast` reach too. It is the sandbox, behind a TLS server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nwchatctl.sandbox.state import announce_proxy
from tests.adapters.nwchat.delivery.scripted_server import Peer, Stub, make_authority
from tests.e2e.support.chat import Chat, unique
from tests.unit.subprocesses import Ran, nwchatctl


@contextmanager
def stub(made: Stub) -> Iterator[Stub]:
    try:
        yield made
    finally:
        made.close()


class Network:
    """The commands of a machine on that network, the heads of its CONNECT requests, and the files' folder."""

    def __init__(self, chat: Chat, folder: Path, environ: dict[str, str]) -> None:
        self.chat, self.folder, self.environ = chat, folder, environ
        self.heads: list[str] = []

    def run(self, *argv: str, **environ: str) -> Ran:
        return nwchatctl(self.folder, *argv, environ={**self.environ, **environ})


@pytest.fixture
def network(chat: Chat, tmp_path: Path) -> Iterator[Network]:
    authority = make_authority(tmp_path / "company", key_identifiers=False, key_usage=False)
    heads: list[str] = []

    def forward(peer: Peer) -> None:
        peer.pipe(socket.create_connection(("127.0.0.1", chat.sandbox.port), timeout=60))

    def tunnel(peer: Peer) -> None:
        if head := peer.head():
            heads.append(head)
            host, _, port = head.split(" ")[1].rpartition(":")
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            peer.pipe(socket.create_connection((host, int(port)), timeout=60))

    target = chat.sandbox.target
    with stub(Stub(forward, authority.context)) as aws, stub(Stub(tunnel)) as proxy:
        environ = {
            "NWCHAT_CHAT__NAME": chat.name,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": target.region,
            "AWS_ACCESS_KEY_ID": target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{aws.port}",
            "AWS_CA_BUNDLE": str(authority.ca),
            "HTTPS_PROXY": f"http://user:hunter2@127.0.0.1:{proxy.port}",
        }
        made = Network(chat, tmp_path, environ)
        made.heads = heads
        with announce_proxy(chat.sandbox.state, aws.port):
            yield made


def test_commands_behind_an_inspecting_proxy(network: Network) -> None:
    endpoint = network.environ["AWS_ENDPOINT_URL"]
    status = network.run("status", "--json")
    assert status.code == 0, status.err
    smoke = network.run("smoke", "--json")
    assert (smoke.code, smoke.err) == (0, ""), smoke.out
    assert json.loads(smoke.out)["url"].startswith(endpoint.replace("https:", "wss:") + "/_aws/execute-api/")
    text = unique("behind a proxy")
    with network.chat.players(1) as (player,):
        broadcast = network.run("broadcast", text, "--json")
        assert (broadcast.code, broadcast.err) == (0, ""), broadcast.out
        assert player.receive_until(lambda frame: frame.get("message") == text)
    assert len(network.heads) > 5
    for head in network.heads:
        assert head.startswith(f"CONNECT {endpoint.removeprefix('https://')} HTTP/1.")
        assert "proxy-authorization: basic " in head.lower()


@pytest.mark.parametrize(
    ("argv", "environ", "code"),
    [
        (("status",), {"AWS_CA_BUNDLE": ""}, "certificate_untrusted"),
        (("smoke",), {"AWS_CA_BUNDLE": "missing.pem"}, "ca_bundle"),
        (("broadcast", "hello"), {"HTTPS_PROXY": "socks5h://user:hunter2@127.0.0.1:1"}, "proxy_unsupported"),
        (("deploy", "--yes"), {"AWS_ENDPOINT_URL_IAM": "https://iam.amazonaws.com"}, "endpoints_mixed"),
        (("broadcast", "hello"), {"AWS_USE_FIPS_ENDPOINT": "true"}, "endpoints_mixed"),
    ],
)
def test_what_cannot_be_dialled_is_refused_with_the_reason(
    network: Network, argv: tuple[str, ...], environ: dict[str, str], code: str
) -> None:
    done = network.run(*argv, "--json", **environ)
    assert (done.code, done.out) == (3, ""), done.err
    assert json.loads(done.err.splitlines()[-1])["error"]["code"] == code
    assert "hunter2" not in done.err
