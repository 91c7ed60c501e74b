"""The stub of `make bench`: its configuration, its own count, and what is done where programs are missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.posts import contender_process, gateway_stub, tools
from bench.posts.contenders.common import connection_ids
from bench.posts.gateway_stub import GatewayStub, configuration, is_gone
from bench.posts.model import CASES, Case, Contender, LoadSize
from bench.posts.tools import MissingProgram, Nginx


@pytest.fixture(scope="module")
def stub() -> Iterator[GatewayStub]:
    with gateway_stub.run_stub(lambda text: None, fallback=True) as running_stub:
        yield running_stub


def claiming(delivered: int) -> list[str]:
    report = {"posts": 10, "seconds": 1.0, "cpu_seconds": 1.0, "peak_kb": 1, "delivered": delivered}
    return [sys.executable, "-c", f"print({json.dumps(json.dumps(report))})"]


def test_run_fails_when_stub_received_less_than_reported(stub: GatewayStub) -> None:
    contender = Contender("liar", "a liar", LoadSize(1, 1), LoadSize(1, 1))
    with pytest.raises(SystemExit, match=r"a liar says 10 delivered, the stub had -?[0-9]+ posts"):
        contender_process.run_contender(claiming(10), contender, CASES[0], stub, 10)


def test_a_contender_that_fails_says_why(stub: GatewayStub) -> None:
    with pytest.raises(SystemExit, match="no luck"):
        contender_process.run_process([sys.executable, "-c", "raise SystemExit('no luck')"], stub.certificate)
    with pytest.raises(SystemExit, match="it said nothing"):
        contender_process.run_process([sys.executable, "-c", ""], stub.certificate)


def test_the_configuration_listens_for_every_case_and_waits_where_there_is_latency(tmp_path: Path) -> None:
    ports = dict(zip(CASES, range(9001, 9005), strict=True))
    text = configuration(Nginx(Path("/n"), Path("/echo.so")), ports, tmp_path, workers=3)
    lines = {
        int(each.split("127.0.0.1:")[1].split()[0]): each
        for each in text.splitlines()
        if "listen 127" in each
    }
    assert set(lines) == set(ports.values())
    for case, port in ports.items():
        assert ("ssl" in lines[port]) is case.tls
        assert ("echo_sleep 0.02;" in lines[port]) is (case.latency_ms == 20)
    assert "worker_processes 3;" in text
    # Nothing is written anywhere else.
    paths = [each.split('"')[1] for each in text.splitlines() if '_path "' in each or "pid " in each]
    assert len(paths) == 6
    assert all(Path(each).is_relative_to(tmp_path) for each in paths)


def test_one_in_four_connections_is_gone() -> None:

    ids = connection_ids(4000)
    assert len(set(ids)) == 4000
    assert 900 < sum(map(is_gone, ids)) < 1100


def test_every_contender_has_a_program_of_its_name() -> None:
    for contender in contender_process.CONTENDERS:
        if contender.name == "node":
            assert (tools.NODE / "sample.mjs").is_file()
        else:
            assert (tools.BENCH / "posts" / "contenders" / f"{contender.name}.py").is_file()


def test_urls_are_the_stages(stub: GatewayStub) -> None:
    case = Case(True, 20)
    assert stub.url(case) == f"https://127.0.0.1:{stub.ports[case]}/production"


def test_without_apt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="wrk: there is no apt-get here"):
        tools.unpack_packages(("wrk",), tmp_path / "tools", lambda text: None)
    with pytest.raises(MissingProgram, match=r"Node\.js: install version 20"):
        tools.node(lambda text: None)
    assert list(tmp_path.iterdir()) == []
