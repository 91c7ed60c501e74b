"""The file that init writes is one that load reads, whatever is uncommented in it."""

from __future__ import annotations

import re
from pathlib import Path

from nwchatctl.config import Settings, load
from nwchatctl.config.template import setting_docs, template


def read(folder: Path, text: str) -> tuple[Settings, dict[str, str]]:
    (folder / "nwchat.toml").write_text(text, encoding="utf-8")
    got = load(None, cwd=folder, environ={}, flags={})
    return got.settings, dict(got.origins)


def test_as_written_everything_is_a_default(tmp_path: Path) -> None:
    settings, origins = read(tmp_path, template({}))
    assert settings == Settings()
    assert set(origins.values()) == {"default"}


def test_what_was_chosen_is_in_force(tmp_path: Path) -> None:
    chosen = {"chat.name": "dojo", "aws.region": "us-east-2", "tables.retention_days": "7"}
    settings, origins = read(tmp_path, template(chosen))
    assert (settings.chat.name, settings.aws.region, settings.tables.retention_days) == (
        "dojo",
        "us-east-2",
        7,
    )
    assert {key for key, origin in origins.items() if origin != "default"} == set(chosen)


def test_uncommented_it_says_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", template({}), flags=re.MULTILINE)
    settings, origins = read(tmp_path, text)
    assert settings == Settings(tags={"team": "games"})
    assert "default" not in origins.values()


def test_every_setting_has_a_meaning() -> None:
    names = [name for name, _, meaning in setting_docs() if meaning]
    assert len(names) == 49
    assert {"aws.profile", "functions.log_level", "tags.KEY"} <= set(names)
