"""A server on loopback that does to each connection what a test says, byte by byte."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Request:
    head: str
    body: bytes

    @property
    def name(self) -> str:
        """The last segment of the path: whom it is for."""
        return self.head.split(" ", 2)[1].rpartition("/")[2]


class Peer:
    """One connection, as the server sees it. `number` counts them from 0."""

    def __init__(self, stub: Stub, sock: socket.socket, number: int) -> None:
        self.number = number
        self._stub = stub
        self._sock = sock
        self._left = b""

    def head(self) -> str | None:
        """The next request's head; None when the client has closed."""
        while b"\r\n\r\n" not in self._left:
            data = self._sock.recv(65536)
            if not data:
                return None
            self._left += data
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def request(self) -> Request | None:
        """The next request, remembered by the stub; None when the client has closed."""
        head = self.head()
        if head is None:
            return None
        length = 0
        for line in head.lower().splitlines():
            if line.startswith("content-length:"):
                length = int(line.partition(":")[2])
        while len(self._left) < length:
            self._left += self._sock.recv(65536)
        body, self._left = self._left[:length], self._left[length:]
        request = Request(head, body)
        self._stub.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def dribble(self, data: bytes) -> None:
        """One byte after the other, in packets of their own."""
        for at in range(len(data)):
            self._sock.sendall(data[at : at + 1])

    def reset(self) -> None:
        """Closes it so that the other side gets an error rather than an end."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def hold(self) -> None:
        """Says nothing more until the client closes, or the test is over."""
        with suppress(OSError):
            while self._sock.recv(65536):
                pass

    def pipe(self, other: socket.socket) -> None:
        """Passes everything on, both ways, until one of them closes."""

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=pump, args=(other, self._sock))
        back.start()
        pump(self._sock, other)
        back.join()
        other.close()


class Stub:
    """Calls `serve` for each connection, in a thread; closes the connection when that returns."""

    def __init__(self, serve: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self.serve = serve
        self.requests: list[Request] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/prod"

    def close(self) -> None:
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_WAIT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections))
            self.connections += 1
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        sock = raw
        try:
            if self._tls is not None:
                # The socket that `close` knows stays the one below.
                sock = self._tls.wrap_socket(raw.dup(), server_side=True)
            self.serve(Peer(self, sock, number))
        except OSError:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            self._open.discard(raw)
            for each in (sock, raw):
                each.close()


@dataclass(frozen=True)
class Authority:
    """A CA's certificate, and a server's by it for 127.0.0.1: paths of PEM files.

    `issuer` is the CA that issued the server's: an intermediate one that `ca` issued, or `ca` itself.
    """

    ca: Path
    issuer: Path
    server: Path

    @property
    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context


def make_authority(
    folder: Path,
    *,
    key_identifiers: bool = True,
    key_usage: bool = True,
    intermediate: bool = False,
    expired: bool = False,
) -> Authority:
    """Certificates as RFC 5280 requires them, or without the key identifiers of subject and authority, or of
    a CA without `key_usage`."""
    folder.mkdir()
    root = _issue("a test's CA", None, ca=True, key_identifiers=key_identifiers, key_usage=key_usage)
    issuer = root
    if intermediate:
        issuer = _issue("a test's intermediate CA", root, ca=True, key_identifiers=key_identifiers)
    days = -1 if expired else 2
    server = _issue("127.0.0.1", issuer, ca=False, key_identifiers=key_identifiers, days=days)
    private = server.key.private_bytes(
        _PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    authority = Authority(folder / "ca.pem", folder / "issuer.pem", folder / "server.pem")
    authority.ca.write_bytes(root.pem)
    authority.issuer.write_bytes(issuer.pem)
    authority.server.write_bytes(private + server.pem + (issuer.pem if intermediate else b""))
    return authority


_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class _Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)


def _issue(
    subject: str,
    issuer: _Issued | None,
    *,
    ca: bool,
    key_identifiers: bool,
    key_usage: bool = True,
    days: int = 2,
) -> _Issued:
    """A certificate, signed by itself without an `issuer`, that expires in that many `days`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    issuer_key = issuer.key if issuer else key
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=None), True),
    ]
    if key_usage:
        extensions.append((_key_usage(ca=ca), True))
    if not ca:
        extensions.append((x509.SubjectAlternativeName([x509.IPAddress(ip_address(subject))]), False))
        extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
    if key_identifiers:
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        extensions.append((authority_id, False))
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - 2 * day,
        now + days * day,
        [x509.Extension(each.oid, critical, each) for each, critical in extensions],
    )
    return _Issued(builder.sign(issuer_key, hashes.SHA256()), key)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
