"""Merges layers of raw values, each with its place, into Settings or into one error with all problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from nwchatctl.config import toml_file, validation_errors
from nwchatctl.config.service_links import is_service_link
from nwchatctl.config.settings import Settings, from_text, sections
from nwchatctl.config.sources import PREFIX, RESERVED_VARIABLES, LoadedSettings
from nwchatctl.errors import ChatError, Exit

Raw = dict[str, dict[str, object]]


@dataclass
class Layers:
    """Values by section and key, of the highest layer only; `origins` and `places` by `section.key`."""

    values: Raw = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def put(self, section: str, key: str, value: object, origin: str, place: str) -> None:
        """Adds a value; it overrides those of earlier layers."""
        self.values.setdefault(section, {})[key] = value
        self.origins[f"{section}.{key}"] = origin
        self.places[f"{section}.{key}"] = place


def build(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> LoadedSettings:
    """The settings of a file, an environment and flags. Raises ChatError, exit 3, as `config.load`."""
    layers = Layers()
    if path is not None:
        _add_file(layers, path, toml_file.read(path))
    _add_environment(layers, environ)
    for name, value in flags.items():
        section, _, key = name.partition(".")
        layers.put(section, key, value, f"flag --{key}", f"--{key}")
    settings = _validate(layers)
    return LoadedSettings(settings, dict(_origins(settings, layers)), path, tuple(layers.ignored))


def _validate(layers: Layers) -> Settings:
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(layers.values)
    except ValidationError as error:
        layers.invalid += [
            validation_errors.describe(each, layers.places) for each in error.errors(include_url=False)
        ]
    if settings is None or layers.unknown or layers.invalid:
        # `from None`: the cause contains every value.
        raise ChatError(
            "; ".join((*layers.unknown, *layers.invalid)),
            hint="nwchatctl help config lists every setting and its meaning",
            code="config_unknown_key" if layers.unknown else "config_invalid",
            exit_code=Exit.CONFIG,
        ) from None
    return settings


def _add_file(layers: Layers, path: Path, text: str) -> None:
    known = sections()
    for section, table in toml_file.parse(path, text).items():
        place = toml_file.place(path, text, section)
        if section not in known:
            layers.unknown.append(f"{place}: {_unknown_section(section, known)}")
        elif not isinstance(table, dict):
            layers.invalid.append(f"{place}: {section} must be a table, [{section}]")
        else:
            for key, value in table.items():
                place = toml_file.place(path, text, section, key)
                model = known[section]
                if model is None or key in model.model_fields:
                    layers.put(section, key, value, f"file {path}", place)
                else:
                    layers.unknown.append(f"{place}: {_unknown_key(section, key, list(model.model_fields))}")


def _unknown_section(section: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(section, known, 1)
    if close:
        return f"unknown section [{section}], did you mean [{close[0]}]?"
    if owners := _owners(section):
        return f"unknown key {section}, did you mean {owners}?"
    return f"unknown section [{section}]; there are {', '.join(known)}"


def _unknown_key(section: str, key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, 1)
    if close:
        return f"unknown key {section}.{key}, did you mean {close[0]}?"
    if owners := _owners(key):
        return f"unknown key {section}.{key}, did you mean {owners}?"
    return f"unknown key {section}.{key}; [{section}] has {', '.join(known)}"


def _owners(key: str) -> str:
    """The sections that have the key, for a key in the wrong section."""
    return " or ".join(
        f"{name}.{key}"
        for name, model in sections().items()
        if model is not None and key in model.model_fields
    )


def _add_environment(layers: Layers, environ: Mapping[str, str]) -> None:
    known = sections()
    names = {
        f"{PREFIX}{section}__{key}".upper(): (model, section, key)
        for section, model in known.items()
        if model is not None
        for key in model.model_fields
    }
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED_VARIABLES:
            continue
        text = environ[name]
        if name in names:
            model, section, key = names[name]
            layers.put(section, key, from_text(model, key, text), f"env {name}", name)
        elif name.startswith(f"{PREFIX}TAGS__") and name != f"{PREFIX}TAGS__":
            layers.put(
                "tags", _tag_key(layers, name.removeprefix(f"{PREFIX}TAGS__")), text, f"env {name}", name
            )
        elif is_service_link(name, text):
            layers.ignored.append(name)
        else:
            layers.unknown.append(_unknown_variable(name, (*names, *RESERVED_VARIABLES)))


def _tag_key(layers: Layers, key: str) -> str:
    """The key of a tag that a variable sets: that of the file, even if the variable is in capitals, as usual
    for variables."""
    known: dict[str, object] = layers.values.get("tags", {})
    return key if key in known else next((each for each in known if each.casefold() == key.casefold()), key)


def _unknown_variable(name: str, known: tuple[str, ...]) -> str:
    same_words = [each for each in known if each.replace("__", "_") == name.replace("__", "_").upper()]
    first = [each for each in known if each.startswith(f"{name}__")]
    # Without the common prefix, which would make all of them similar.
    rest = [each.removeprefix(PREFIX) for each in known]
    close = (
        same_words
        or first[:1]
        or [PREFIX + each for each in get_close_matches(name.removeprefix(PREFIX).upper(), rest, 1)]
    )
    return f"unknown variable {name}" + (f", did you mean {close[0]}?" if close else "")


def _origins(settings: Settings, layers: Layers) -> Iterator[tuple[str, str]]:
    for section, model in sections().items():
        keys = list(model.model_fields) if model is not None else list(settings.tags)
        for key in keys:
            yield f"{section}.{key}", layers.origins.get(f"{section}.{key}", "default")
        if not keys:
            yield section, "default"


def value_error(name: str, text: str) -> str:
    """The error of `text` as the value of `section.key`; "" if it is valid."""
    section, _, key = name.partition(".")
    model = sections()[section]
    assert model is not None, f"{section} has keys of the user's own"
    try:
        Settings.model_validate({section: {key: from_text(model, key, text)}})
    except ValidationError as error:
        return "; ".join(validation_errors.describe(each, {}) for each in error.errors(include_url=False))
    return ""
