"""Which planted defects a sound run would come across at all.

A mutant whose words are never executed in a run changes nothing of it, so the run need not be
played again with it: runs are functions of their seed and of the code that they execute.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType

from planting import Edit, Moved, Mutant, compiled, exchanged, function_at, source_of

MARK = "__mutant_reached__"


@contextmanager
def probed(mutants: Iterable[Mutant]) -> Iterator[set[str]]:
    """The names of those whose words are executed meanwhile; nothing else is changed."""
    reached: set[str] = set()
    by_target: dict[str, list[tuple[str, Edit]]] = {}
    for mutant in mutants:
        for edit in mutant.edits:
            by_target.setdefault(edit.target, []).append((mutant.name, edit))
    with ExitStack() as stack:
        for target, edits in by_target.items():
            function = function_at(target)
            function.__globals__[MARK] = reached.add
            stack.callback(function.__globals__.pop, MARK, None)
            stack.enter_context(exchanged(function, compiled(function, _marked(function, edits))))
        yield reached


def _marked(function: FunctionType, edits: list[tuple[str, Edit]]) -> ast.FunctionDef:
    """The function, telling by name when it comes to the statement that an edit would change."""
    source = source_of(function)
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef)
    for name, edit in edits:
        line = source[: source.index(edit.old.rstrip("\n"))].count("\n") + 1
        block, index = _innermost(definition, line, edit)
        block.insert(index, _mark(name, block[index]))
    return definition


def _innermost(definition: ast.FunctionDef, line: int, edit: Edit) -> tuple[list[ast.stmt], int]:
    """The smallest statement around a line: its block, and its place in that."""
    found: tuple[list[ast.stmt], int] | None = None
    for node in ast.walk(definition):  # outer statements come before those in them
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            for index, statement in enumerate(block):
                assert statement.end_lineno is not None
                if statement.lineno <= line <= statement.end_lineno:
                    found = block, index
    if found is None:
        raise Moved(f"{edit.target}: no statement around {edit.old!r}")
    return found


def _mark(name: str, place: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(name)], [])
    # On the statement's own line, which a second edit of the same statement looks for.
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), place))
