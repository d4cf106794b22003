"""Plants defects in the controller: a few words of a function's source are exchanged while it runs.

A mutant is data (the ``*.yaml`` beside this file): what is wrong in one line, and edits. An edit
names a function, a piece of its source, and what stands there instead. When the code has moved on,
so that the piece is no longer found there exactly once, planting fails and says so: a mutant that
no longer changes anything would be taken for one that nobody can find.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import yaml

HERE = Path(__file__).parent


class Moved(Exception):
    """The code that a mutant changes is not what it was written for."""


@dataclass(frozen=True)
class Edit:
    """``target``: ``module:function`` or ``module:Class.method``. ``old`` and ``new`` may have
    several lines, indented as within the function."""

    target: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """``wrong``: the defect, in one line."""

    name: str
    wrong: str
    edits: tuple[Edit, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The defect is in force within. Raises Moved."""
        by_target: dict[str, list[Edit]] = {}
        for edit in self.edits:
            by_target.setdefault(edit.target, []).append(edit)
        with ExitStack() as stack:
            for target, edits in by_target.items():
                function = function_at(target)
                stack.enter_context(exchanged(function, _edited(function, edits)))
            yield


def mutants() -> dict[str, Mutant]:
    """All of them by name, in the order of the files. Raises ValueError for a name used twice."""
    found: dict[str, Mutant] = {}
    for path in sorted(HERE.glob("*.yaml")):
        if path.name == "found.yaml":
            continue
        for entry in yaml.safe_load(path.read_text()):
            edits = tuple(Edit(**edit) for edit in entry["edits"])
            mutant = Mutant(entry["name"], entry["wrong"], edits)
            if mutant.name in found:
                raise ValueError(f"{path.name}: there are two mutants {mutant.name}")
            found[mutant.name] = mutant
    return found


def _edited(function: FunctionType, edits: list[Edit]) -> CodeType:
    source = source_of(function)
    for edit in edits:
        old = edit.old.rstrip("\n")
        if source.count(old) != 1:
            raise Moved(f"{edit.target}: found {source.count(old)} times, not once: {old!r}")
        source = source.replace(old, edit.new.rstrip("\n"))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef)
    return compiled(function, definition)


@contextmanager
def exchanged(function: FunctionType, code: CodeType) -> Iterator[None]:
    """The function's code is exchanged in place: whoever holds the function, gets the other."""
    original = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = original


def function_at(target: str) -> FunctionType:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        try:
            found = inspect.getattr_static(found, name)
        except AttributeError:
            raise Moved(f"{target}: there is no {name}") from None
    found = inspect.unwrap(_undecorated(found))
    if not isinstance(found, FunctionType):
        raise Moved(f"{target} is no function")
    return found


def _undecorated(found: Any) -> Callable[..., Any]:
    if isinstance(found, property):
        return found.fget  # type: ignore[return-value] # every property here has one
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found


def source_of(function: FunctionType) -> str:
    return textwrap.dedent(inspect.getsource(function))


def compiled(function: FunctionType, definition: ast.FunctionDef) -> CodeType:
    """The code of another definition in the function's place. Raises Moved."""
    definition.decorator_list = []  # what they made of the function stays
    flags = __future__.annotations.compiler_flag
    tree = ast.Module([definition], [])
    place: dict[str, Any] = dict(function.__globals__)
    exec(compile(tree, function.__code__.co_filename, "exec", flags=flags), place)
    code: CodeType = place[definition.name].__code__
    if code.co_freevars != function.__code__.co_freevars:
        name = f"{function.__module__}:{function.__qualname__}"
        raise Moved(f"{name}: what closes over others' variables cannot be exchanged")
    return code
