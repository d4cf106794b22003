"""docs/kubernetes-support.md has the guide's commands that are tested, and no others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.interop

SCRIPT = Path(__file__).parents[3] / "ci" / "kubernetes_support.py"


@pytest.fixture(scope="module")
def support() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kubernetes_support", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(support: ModuleType) -> None:
    commands = support.read_commands()
    assert support.problems(support.PAGE.read_text(encoding="utf-8"), commands) == []


def test_a_difference_is_told(support: ModuleType) -> None:
    commands = support.read_commands()
    text = support.page(commands, {}, "1.0")
    assert support.problems(text, commands) == []
    gone = support.problems(text, commands[1:])
    assert gone == [f"no longer there: {support.one_line(commands[0]['run'])}"]
    other = [{**commands[0], "cannot": "why"}, *commands[1:]]
    assert len(support.problems(text, other)) == 1
    not_so = support.page([{**commands[0], "refused": "why"}, *commands[1:]], {}, "1.0")
    assert len(support.problems(not_so, commands)) == 1
    new = {"section": "X", "run": "kubectl a | b `c`", "prints": "x"}
    assert support.problems(text, [*commands, new]) == ["missing: kubectl a \\| b `c`"]
    assert support.problems(support.page([new], {}, "1.0"), [new]) == []


def test_every_command_is_there_once(support: ModuleType) -> None:
    """But those that the guide itself repeats in several of its procedures."""
    runs = [
        (command["section"], support.one_line(command["run"]))
        for command in support.read_commands()
        if not command.get("again")
    ]
    assert len(runs) == len(set(runs))
    assert len(runs) >= 80
