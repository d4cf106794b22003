"""Reads the logs that a run left in a directory (``beskar7 run --report``)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import orjson

from beskar7.api.problems import DocumentError, Problem, Where
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.history import History
from scenarios.engine.invariants import Violation
from scenarios.engine.keeping import RESULT, log_file
from scenarios.engine.story.recording import Recording, summary

MAX_RESULT_BYTES = 64 * 2**20
"""Of ``result.json``; one with 50 violations of each invariant is under 1 MiB."""
MAX_LINE_BYTES = 4 * 2**20
"""An object of the API has 1.5 MiB at most, and a line holds two."""
MAX_LINES = 5_000_000
"""Entries of one log; in memory such a log takes gigabytes."""

Entry = TypeVar("Entry", WriteRecord, BmcRecord, BmcEvent, Incident, FaultWindow, Violation)
_NUMBER = (int, float)
_FORMS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": (_NUMBER, "a number"),
    "float | None": ((*_NUMBER, type(None)), "a number or null"),
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "dict[str, Any] | None": ((dict, type(None)), "an object or null"),
    "Mapping[str, Any]": ((dict,), "an object"),
    "tuple[int, ...]": ((list,), "a list of whole numbers"),
}


def read(path: Path) -> Recording:
    """The run that was kept in the directory ``path``, or beside the ``result.json`` of that name.

    Raises:
        DocumentError: with file, line and field of what is not as ``beskar7 run`` writes it.
    """
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.name != RESULT:
        raise _wrong(path, 0, "", f"give a run's report directory, or its {RESULT}")
    result = _Result(folder / RESULT)
    history = History()
    for line, record in _entries(folder, "writes", WriteRecord):
        try:
            history.add(record)
        except (AttributeError, TypeError, ValueError) as error:
            where = folder / log_file("writes")
            raise _wrong(where, line, "object", f"is no {record.kind}: {error}") from None
    began = result.number("times", "began")
    load = result.number("times", "load_began", optional=True)
    return Recording(
        scenario=result.text("scenario"),
        clock=result.text("clock"),
        seed=int(result.number("seed") or 0),
        verdict=summary(result.flag("passed"), result.texts("shortfalls")),
        history=history,
        requests=_all(folder, "bmc-requests", BmcRecord),
        events=_all(folder, "bmc-events", BmcEvent),
        incidents=_all(folder, "incidents", Incident),
        faults=_faults(folder),
        violations=_all(folder, "violations", Violation),
        began=began or 0.0,
        origin=(began or 0.0) if load is None else load,
        ended=result.number("times", "ended") or 0.0,
    )


def _faults(folder: Path) -> list[FaultWindow]:
    found = []
    for line, window in _entries(folder, "faults", FaultWindow):
        try:
            known = bool(window.kinds)
        except (AttributeError, KeyError, TypeError):
            known = False
        if not known:
            where = folder / log_file("faults")
            raise _wrong(where, line, "fault", "has to have an id, a kind, and symptoms like it")
        found.append(window)
    return found


def _wrong(path: Path, line: int, field: str, message: str) -> DocumentError:
    return DocumentError([Problem(Where(str(path), line), field, message)])


class _Result:
    """``result.json``, as far as a story needs it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_RESULT_BYTES + 1)
        except OSError as error:
            said = f"cannot read it: {error.strerror}; give what beskar7 run --report wrote"
            raise _wrong(path, 0, "", said) from None
        if len(raw) > MAX_RESULT_BYTES:
            raise _wrong(path, 0, "", f"larger than {MAX_RESULT_BYTES // 2**20} MiB")
        try:
            self._data = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise _wrong(path, error.lineno, "", f"not valid JSON: {error.msg}") from None
        if not isinstance(self._data, dict):
            raise _wrong(path, 1, "", "has to be an object")

    def _get(self, names: tuple[str, ...], form: str) -> Any:
        found: Any = self._data
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        types, said = _FORMS[form]
        if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
            field = ".".join(names)
            raise _wrong(self._path, 0, field, f"has to be {said}; run the scenario again")
        return found

    def text(self, *names: str) -> str:
        return str(self._get(names, "str"))

    def flag(self, *names: str) -> bool:
        return bool(self._get(names, "bool"))

    def number(self, *names: str, optional: bool = False) -> float | None:
        found = self._get(names, "float | None" if optional else "float")
        return None if found is None else float(found)

    def texts(self, name: str) -> list[str]:
        found = self._data.get(name)
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise _wrong(self._path, 0, name, "has to be a list of texts; run the scenario again")
        return found


def _all(folder: Path, name: str, form: type[Entry]) -> list[Entry]:
    return [entry for _, entry in _entries(folder, name, form)]


def _entries(folder: Path, name: str, form: type[Entry]) -> Iterator[tuple[int, Entry]]:
    """Each entry of a log with its line."""
    path = folder / log_file(name)
    forms = {item.name: _FORMS[str(item.type)] for item in fields(form)}
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise _wrong(path, number, "", f"longer than {MAX_LINE_BYTES // 2**20} MiB")
                if number > MAX_LINES:
                    raise _wrong(path, number, "", f"more than {MAX_LINES} entries")
                yield number, form(**_checked(path, number, raw, forms))
    except FileNotFoundError:
        raise _wrong(path, 0, "", "is missing beside the result; run the scenario again") from None
    except (OSError, EOFError, zlib.error) as error:
        said = f"cannot read it: {getattr(error, 'strerror', None) or error}"
        raise _wrong(path, number + 1, "", said) from None


def _checked(
    path: Path, line: int, raw: bytes, forms: dict[str, tuple[tuple[type, ...], str]]
) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _wrong(path, line, "", f"not valid JSON: {error.msg}") from None
    if not isinstance(data, dict):
        raise _wrong(path, line, "", "has to be an object")
    found = {}
    for name, (types, said) in forms.items():
        value = data.get(name)
        whole = bool not in types and isinstance(value, bool)
        numbers = not isinstance(value, list) or all(type(item) is int for item in value)
        if name not in data or whole or not isinstance(value, types) or not numbers:
            raise _wrong(path, line, name, f"has to be {said}")
        found[name] = tuple(value) if isinstance(value, list) else value
    return found
