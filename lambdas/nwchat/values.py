"""`dataclass(frozen=True, slots=True)` at a fifth of its cost: a cold start creates forty such classes.

The standard library generates and compiles six methods for each class, which takes 0.2 ms or more. This one
generates `__init__` alone; the other methods are shared by all classes. Type checkers see the original, and
so they refuse assignments; nothing checks them at run time.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool, slots: bool):
        """The decorator. Both arguments must be true."""
        if not (frozen and slots):
            raise TypeError("values are frozen and have slots")
        return _with_shared_methods


def _with_shared_methods(cls: type) -> type:
    made: type = dataclasses.dataclass(repr=False, eq=False, slots=True)(cls)
    for name, method in (("__eq__", _equal), ("__hash__", _hash), ("__repr__", _repr)):
        setattr(made, name, method)
    return made


def _equal(self: object, other: object) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: object) -> int:
    return hash(_values(self))


def _repr(self: object) -> str:
    fields = dataclasses.fields(self)  # type: ignore[arg-type]
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _values(self: object) -> tuple[object, ...]:
    return tuple([getattr(self, name) for name in type(self).__match_args__])  # type: ignore[attr-defined]
