"""nwchat.toml as `init` writes it: every setting with its meaning, chosen values active."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from nwchatctl.config.settings import Settings, from_text, sections

_HEAD = """\
# The configuration of one chat, for nwchatctl.
#
# Each line that begins with "# name =" shows a default; take the # away to change it.
# NWCHAT_<SECTION>__<KEY> in the environment goes before this file, and flags before both.
# `nwchatctl config show` says where each value came from, `nwchatctl plan` what a change would do.
"""


def template(chosen: Mapping[str, str]) -> str:
    """The file's text; `chosen` values (text by `section.key`) are active, all others commented out."""
    return _HEAD + "".join(_section(name, chosen) for name in Settings.model_fields)


def setting_docs() -> Iterator[tuple[str, str, str]]:
    """Every setting: `section.key`, its default as TOML, its meaning."""
    for section, model in sections().items():
        if model is None:
            yield f"{section}.KEY", '""', Settings.model_fields[section].description or ""
            continue
        for key, field in model.model_fields.items():
            yield f"{section}.{key}", toml(field.default), field.description or ""


def toml(value: object) -> str:
    """A setting's value in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A basic string of TOML is one of JSON, but for \\u pairs beyond 16 bits, and DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def _section(section: str, chosen: Mapping[str, str]) -> str:
    model = sections()[section]
    text = f"\n# {Settings.model_fields[section].description}.\n[{section}]\n"
    if model is None:
        return text + '# team = "games"\n'
    for key, field in model.model_fields.items():
        name = f"{section}.{key}"
        text += f"# {field.description}\n"
        if name in chosen:
            text += f"{key} = {toml(from_text(model, key, chosen[name]))}\n"
        else:
            text += f"# {key} = {toml(field.default)}\n"
    return text


def defaults() -> dict[str, str]:
    """The default of every setting, as a user would type it."""
    return {
        f"{section}.{key}": str(field.default)
        for section, model in sections().items()
        if model is not None
        for key, field in model.model_fields.items()
    }
