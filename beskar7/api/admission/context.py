"""What a rule may look at besides the object itself, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from beskar7.api.causes import Cause
from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object, ObjectList

Operation = Literal["CREATE", "UPDATE", "DELETE"]


class Reader(Protocol):
    """The part of an API that rules read; both raise :class:`ApiError`."""

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object: ...

    def list(self, kind: Kind, namespace: str | None = None) -> ObjectList: ...


@dataclass(frozen=True, slots=True)
class Context:
    """``now`` is UTC seconds since the epoch."""

    reader: Reader
    now: float
    dry_run: bool = False


@dataclass(slots=True)
class Findings:
    """``causes`` refuse the request; ``warnings`` are told to whoever asked."""

    causes: list[Cause] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def look_up(
        self, context: Context, kind: Kind, namespace: str | None, name: str
    ) -> Object | None:
        """The object; None when there is none.

        Raises :class:`Unreadable` when the API does not say, which is noted as a warning.
        """
        try:
            return context.reader.get(kind, namespace, name)
        except NotFound:
            return None
        except ApiError as error:
            raise self._unread(f"{kind} {name}", error) from error

    def look_through(self, context: Context, kind: Kind, namespace: str) -> list[Object]:
        """The kind's objects in the namespace; none where the kind is not served.

        Raises :class:`Unreadable` as :meth:`look_up` does.
        """
        try:
            return context.reader.list(kind, namespace).items
        except NotFound:
            return []
        except ApiError as error:
            raise self._unread(kind.plural, error) from error

    def _unread(self, what: str, error: ApiError) -> Unreadable:
        self.warnings.append(f"{what} could not be read, so it was not checked: {error.reason}")
        return Unreadable(what)


class Unreadable(Exception):
    """The API gave no answer: what depends on it is not checked, and nothing is refused for it."""


def dig(obj: Any, *path: str) -> Any:
    """The value at the path; None where a part of it is absent or no object."""
    for key in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(key)
    return obj


def text(obj: Any, *path: str) -> str:
    """As :func:`dig`; "" for what is no text (which the schema refuses)."""
    value = dig(obj, *path)
    return value if isinstance(value, str) else ""


def mapping(obj: Any, *path: str) -> dict[str, Any]:
    """As :func:`dig`; empty for what is no object."""
    value = dig(obj, *path)
    return value if isinstance(value, dict) else {}


def changed(new: Object, old: Object | None, *path: str) -> bool:
    """Whether the request is about this field: what was accepted once is not judged again."""
    return old is None or dig(new, *path) != dig(old, *path)


def replaced(obj: Object, path: tuple[str, ...], changes: dict[str, Any]) -> Object:
    """A copy with ``changes`` at the path, sharing the rest; None takes a field away."""
    if path:
        return {**obj, path[0]: replaced(mapping(obj, path[0]), path[1:], changes)}
    gone = {key for key, value in changes.items() if value is None}
    return {key: value for key, value in {**obj, **changes}.items() if key not in gone}
