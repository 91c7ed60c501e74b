"""`dataclass(frozen=True, slots=True)` at a twentieth of its cost: a cold start makes forty such classes.

The standard library generates and compiles methods for each class, which takes 0.2 ms or more. Here all
classes share their methods. Type checkers see the original. `fields`, `replace` and `asdict` of `dataclasses`
accept these values; the functions use those of this module, because that import takes milliseconds, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, replace
    from typing import Any

__all__ = ["asdict", "dataclass", "replace"]

if not TYPE_CHECKING:

    def dataclass(*, frozen, slots):
        """The decorator. Both arguments must be true. Fields have plain defaults, no `field(…)`."""
        if not (frozen and slots):
            raise TypeError("values are frozen and have slots")
        return _as_value

    def asdict(value):
        """The fields by name. Values in fields stay as they are."""
        return {name: getattr(value, name) for name in value.__match_args__}

    def replace(value, **changes):
        """A value with other fields."""
        return type(value)(**{**asdict(value), **changes})


def _as_value(cls: type) -> type:
    names = tuple(cls.__annotations__)
    own = {name: each for name, each in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    defaults = {name: own.pop(name) for name in names if name in own}
    # A class's slots are made when it is.
    return type(cls)(
        cls.__name__,
        cls.__bases__,
        {
            "__init__": _init,
            "__eq__": _equal,
            "__hash__": _hash,
            "__repr__": _repr,
            "__reduce__": _reduce,
            "__setattr__": _refuse,
            "__delattr__": _refuse,
            "__dataclass_fields__": _StandardFields(),
            **own,
            "__qualname__": cls.__qualname__,
            "__slots__": names,
            "__match_args__": names,
            "_defaults": defaults,
        },
    )


def _init(self: Any, *args: Any, **named: Any) -> None:
    names = self.__match_args__
    by_place = dict(zip(names, args, strict=False))
    values = {**self._defaults, **by_place, **named}
    if len(args) > len(names) or by_place.keys() & named.keys() or values.keys() != set(names):
        raise TypeError(f"the fields of {type(self).__name__} are {', '.join(names)}")
    for name, value in values.items():
        object.__setattr__(self, name, value)


def _equal(self: Any, other: object) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _reduce(self: Any) -> Any:
    """For `copy` and `pickle`."""
    return type(self), _values(self)


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")


def _values(self: Any) -> tuple[object, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


class _StandardFields:
    """What `fields`, `replace` and `asdict` of `dataclasses` need; made when one of them is first used."""

    def __get__(self, value: object, cls: Any) -> Any:
        from dataclasses import field, make_dataclass  # noqa: PLC0415 - the functions do without it

        defaults = cls._defaults
        made: Any = make_dataclass(
            cls.__name__,
            [
                (
                    name,
                    cls.__annotations__[name],
                    field(default=defaults[name]) if name in defaults else field(),
                )
                for name in cls.__match_args__
            ],
        )
        cls.__dataclass_fields__ = made.__dataclass_fields__
        return made.__dataclass_fields__
