"""A stub of API Gateway's @connections on this machine: responds to each post with an empty 200.

It is nginx, which is several times faster than any contender, or a stub in Python where nginx is missing. It
listens on one port per case and ends with the process that started it, even when that process is killed.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from bench.posts import cores, tools
from bench.posts.model import CASES, Case
from bench.posts.server_process import free_ports, run_server
from bench.posts.tools import MissingProgram, Nginx

_STAGE = "production"
COUNT = "/count"
"""The path of nginx's `stub_status`: the tenth word of its text is the number of requests."""

PARTLY_GONE = "-partly-gone"
_GONE = "[A-P].=$"

PARTLY_SLOW = "-partly-slow"
SLOW = "SLOW"
"""How the ids of connections begin whose buffers are full."""


def is_gone(connection_id: str) -> bool:
    """Whether the stub treats the connection as closed: a quarter of all ids, by their last characters."""
    return re.search(_GONE, connection_id) is not None


def is_slow(connection_id: str) -> bool:
    """Whether the stub answers posts to the connection with 429."""
    return connection_id.startswith(SLOW)


@dataclass(frozen=True, slots=True)
class GatewayStub:
    """A running stub: its `ports` on 127.0.0.1, and the `certificate` that clients have to trust."""

    description: str
    ports: Mapping[Case, int]
    certificate: Path

    def url(self, case: Case) -> str:
        """The stage's URL, as `PostToConnection` wants it."""
        return f"{'https' if case.tls else 'http'}://127.0.0.1:{self.ports[case]}/{_STAGE}"

    def partly_gone_url(self, case: Case) -> str:
        """The URL of a stage in which the connections of `is_gone` are closed. Only without latency."""
        return f"{self.url(case)}{PARTLY_GONE}"

    def partly_slow_url(self, case: Case) -> str:
        """The URL of a stage in which the connections of `is_slow` do not read. Only without latency."""
        return f"{self.url(case)}{PARTLY_SLOW}"

    def request_count(self) -> int:
        """The number of requests that the stub has served so far, this one included."""
        case = next(each for each in self.ports if not each.tls)
        direct = build_opener(ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{self.ports[case]}{COUNT}", timeout=10) as response:
            return int(response.read().split()[9])


@contextmanager
def run_stub(
    log: Callable[[str], None], *, fallback: bool = False, cases: Sequence[Case] = CASES
) -> Iterator[GatewayStub]:
    """Starts the stub, on separate cores where possible. With `fallback` it never uses nginx."""
    with tempfile.TemporaryDirectory(prefix="nwchat-bench-") as folder:
        home = Path(folder)
        certificate, key = home / "certificate.pem", home / "key.pem"
        _make_certificate(certificate, key)
        ports = dict(zip(cases, free_ports(len(cases)), strict=True))
        description, command, environ = _fallback(ports, certificate, key)
        if not fallback:
            try:
                description, command, environ = _nginx(tools.nginx(log), ports, home)
            except MissingProgram as missing:
                log(f"no {missing}")
                log("the stub is one in Python then, which is slower than the fast contenders")
        with run_server(command, environ, home / "output.txt", tuple(ports.values())):
            yield GatewayStub(description, ports, certificate)


def configuration(nginx: Nginx, ports: Mapping[Case, int], home: Path, workers: int) -> str:
    """The text of nginx.conf: no files outside of `home`, and the response headers of API Gateway."""
    servers = "\n".join(_server(case, port) for case, port in ports.items())
    temporary = "\n".join(
        f'  {each}_temp_path "{home}/{each}";'
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""\
load_module "{nginx.echo}";
daemon off;
{_user()}worker_processes {workers};
worker_rlimit_nofile 16384;
pid "{home}/nginx.pid";
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off;
  server_tokens off;
  default_type application/json;
  keepalive_timeout 350s;
  keepalive_requests 1000000000;
  ssl_certificate "{home}/certificate.pem";
  ssl_certificate_key "{home}/key.pem";
  add_header x-amzn-RequestId $request_id always;
{servers}
}}
"""


def _server(case: Case, port: int) -> str:
    listen = f"listen 127.0.0.1:{port}{' ssl' if case.tls else ''} backlog=4096;"
    if not case.latency_ms:
        count = f"location = {COUNT} {{ stub_status; }}"
        gone = f'location ~ "{_GONE}" {{ return 410 ""; }}'
        partly = f'location /{_STAGE}{PARTLY_GONE}/ {{ {gone} return 200 ""; }}'
        closed = "if ($request_method = DELETE) { return 204; }"
        slow = f'location ~ "/{SLOW}" {{ {closed} return 429 ""; }}'
        partly += f' location /{_STAGE}{PARTLY_SLOW}/ {{ {slow} return 200 ""; }}'
        return f'  server {{ {listen} location / {{ return 200 ""; }} {count} {partly} }}'
    wait = f"location / {{ echo_sleep {case.latency_ms / 1000:g}; echo_exec @done; }}"
    return f'  server {{ {listen} {wait} location @done {{ return 200 ""; }} }}'


def _user() -> str:
    """The user of the workers. Started by root, nginx would use one that cannot read temporary files."""
    if os.getuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};\n"


def _nginx(nginx: Nginx, ports: Mapping[Case, int], home: Path) -> tuple[str, list[str], dict[str, str]]:
    """The command of nginx. Raises MissingProgram when nginx rejects the configuration."""
    file = home / "nginx.conf"
    file.write_text(configuration(nginx, ports, home, workers=max(1, len(cores.STUB_CORES))))
    command = [str(nginx.program), "-p", str(home), "-e", "stderr", "-c", str(file)]
    environ = {**os.environ, **nginx.environ}
    check = subprocess.run([*command, "-t"], env=environ, capture_output=True, text=True, check=False)
    if check.returncode:
        raise MissingProgram(f"nginx that works: {check.stderr.strip()}")
    version = subprocess.run([*command, "-v"], env=environ, capture_output=True, text=True, check=False)
    return version.stderr.strip().rpartition(" ")[2], command, environ


def _fallback(
    ports: Mapping[Case, int], certificate: Path, key: Path
) -> tuple[str, list[str], dict[str, str]]:
    port_arguments = [f"{port}:{int(case.tls)}:{case.latency_ms}" for case, port in ports.items()]
    command = [sys.executable, "-m", "bench.posts.python_stub", str(certificate), str(key), *port_arguments]
    environ = {**os.environ, "PYTHONPATH": str(tools.BENCH.parent)}
    return "the stub in Python, slower than the fast contenders", command, environ


def _make_certificate(certificate: Path, key: Path) -> None:
    """Creates a self-signed certificate, RSA 2048 like API Gateway's. Raises MissingProgram."""
    output_files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *output_files, *names]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MissingProgram("openssl, which makes the stub's certificate: install it") from error
    if result.returncode:
        raise MissingProgram(f"openssl that works: {result.stderr.strip()}")
