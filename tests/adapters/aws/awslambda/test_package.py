"""The zip is the same bytes wherever and whenever it is made."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from nwchatctl.aws.awslambda.package import PYJWT, build_package, zip_folder
from nwchatctl.errors import ChatError
from tests.paths import ROOT


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FILES = {
    "__init__.py": b"",
    "message.py": b"def handler(event, context):\n    return 1\n",
    "sub/x.py": b"X = 1\n",
}


def test_same_sources_same_bytes(tmp_path: Path) -> None:
    one = make(tmp_path / "one" / "nwchat", FILES)
    other = make(tmp_path / "other one" / "nwchat", dict(reversed(FILES.items())))
    os.utime(other / "message.py", (1, 1))
    (other / "message.py").chmod(0o600)
    make(other, {"__pycache__/message.cpython-311.pyc": b"junk", "py.typed": b"", ".message.py.swp": b"junk"})
    assert zip_folder(one) == zip_folder(other)


def test_windows_makes_the_same_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "nwchat", FILES)
    here = zip_folder(folder)
    monkeypatch.setattr(sys, "platform", "win32")
    before = os.umask(0o177)
    try:
        there = zip_folder(folder)
    finally:
        os.umask(before)
    # What an entry says by default on Windows, where zipfile decides by the platform.
    assert zipfile.ZipInfo("x").create_system == 0
    assert there == here


def test_package_is_these_bytes_with_every_python(tmp_path: Path) -> None:
    """So that two operators' machines see each other's deploy as it is."""
    made = zip_folder(make(tmp_path / "nwchat", FILES), {"jwt/LICENSE": b"MIT\n"})
    assert made.sha256 == "r0wWO9mkYPQEC1oP6wTXy+Obxi2TYrErPCA7Ha2X/lU="


def test_line_ends_of_another_system_make_no_difference(tmp_path: Path) -> None:
    one = make(tmp_path / "one" / "nwchat", FILES)
    other = make(tmp_path / "other" / "nwchat", {k: v.replace(b"\n", b"\r\n") for k, v in FILES.items()})
    assert zip_folder(one) == zip_folder(other)


def test_another_source_is_another_package(tmp_path: Path) -> None:
    one = make(tmp_path / "one" / "nwchat", FILES)
    other = make(tmp_path / "other" / "nwchat", FILES | {"sub/x.py": b"X = 2\n"})
    assert zip_folder(one).sha256 != zip_folder(other).sha256


def test_the_digest_is_lambdas_own() -> None:
    made = build_package()
    assert made.sha256 == base64.b64encode(hashlib.sha256(made.content).digest()).decode()


def test_the_real_package_holds_the_handlers_and_pyjwt_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(build_package().content)) as archive:
        names = archive.namelist()
        others = [each for each in names if not (each.startswith("nwchat/") and each.endswith(".py"))]
        assert {each for each in others if not each.endswith(".py")} == {"jwt/LICENSE"}
        assert {each.partition("/")[0] for each in others} == {"jwt"}
        assert {"nwchat/connect.py", "nwchat/disconnect.py", "nwchat/message.py"} <= set(names)
        assert {"jwt/__init__.py", "jwt/api_jwt.py", "jwt/algorithms.py"} <= set(names)
        assert b"Permission is hereby granted" in archive.read("jwt/LICENSE")
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        # Lambda refuses what it may not read.
        assert {each.external_attr >> 16 for each in archive.infolist()} == {0o100644}


def test_it_is_the_pyjwt_that_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"pyjwt=={PYJWT}" in project["dependencies"]


def test_another_pyjwt_makes_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nwchatctl.aws.awslambda.package.PYJWT", "0.0.1")
    with pytest.raises(ChatError) as raised:
        build_package()
    assert (raised.value.code, raised.value.exit_code) == ("pyjwt_version", 3)
    assert raised.value.hint == "pip install pyjwt==0.0.1"
