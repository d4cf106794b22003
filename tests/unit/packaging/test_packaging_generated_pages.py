"""Pages of docs/ that scripts write from the code: none is stale, and a stale one is noticed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def script(name: str) -> ModuleType:
    """A module of ci/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / "ci" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


defects = script("better_than_upstream")
NAMES = ("better_than_upstream", "configuration_page", "metrics_page")
NAMES += ("cli_page", "events_page", "scenario_page")
SCRIPTS = {name: script(name) for name in NAMES}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_page_is_what_its_script_writes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = SCRIPTS[name].main(["--check"])
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_stale_page_is_noticed_and_left_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(SCRIPTS[name], "TARGET", page)
    assert SCRIPTS[name].main(["--check"]) == 1
    assert not page.exists()
    assert SCRIPTS[name].main([]) == 0
    page.write_text(page.read_text() + "by hand\n")
    assert SCRIPTS[name].main(["--check"]) == 1
    assert "not up to date" in capsys.readouterr().out
    assert page.read_text().endswith("by hand\n")


def test_a_reason_without_words_and_words_without_a_reason_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = SCRIPTS["events_page"]
    words = tmp_path / "words.yaml"
    said = page.WORDS.read_text().replace("\nQueueFull: ", "\nQueueEmpty: ")
    words.write_text(said)
    monkeypatch.setattr(page, "WORDS", words)
    with pytest.raises(page.PageError, match=r"without words: .'QueueFull'.; .*'QueueEmpty'"):
        page.page()


def test_the_code_is_read_for_every_way_to_give_a_reason() -> None:
    page = SCRIPTS["events_page"]
    tree = page.ast.parse(
        "recorder.event(x, 'Normal', 'One' if a else 'Two', text)\n"
        "env.condition(x, conditions.HOST_READY, False, 'Three', text)\n"
        "class E:\n    reason = 'Four'\n"
        "def f():\n    return 'Five', text\n"
        "self._fail(machine, 'Six', text)\n"
        "metric.labels('seven')\n"
    )
    assert sorted(page.given(tree)) == [
        ("Five", "", ""),
        ("Four", "", ""),
        ("One", "Normal", ""),
        ("Six", "Warning", "InfrastructureReady"),
        ("Three", "", "HostReady"),
        ("Two", "Normal", ""),
    ]


def test_marks_are_found_above_test_functions_whatever_else_stands_there() -> None:
    text = (
        "@pytest.mark.upstream('U1', 'U2')\n@pytest.mark.parametrize('x', [1])\n"
        "def test_one(x): ...\n"
        "@pytest.mark.upstream('U2')\ndef test_two(): ...\n"
    )
    assert list(defects.marked(text, "t.py")) == [
        ("U1", "t.py::test_one"),
        ("U2", "t.py::test_one"),
        ("U2", "t.py::test_two"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pytest.mark.upstream(9)\ndef test_one(): ...\n", "t.py:1: write the number as a string"),
        ("pytestmark = pytest.mark.upstream('U9')\n", "t.py:1: the mark belongs directly above"),
        ("\n@pytest.mark.upstream('U9')\ndef helper(): ...\n", "t.py:2: the mark belongs"),
        (
            "class TestIt:\n    @pytest.mark.upstream('U9')\n    def test_one(self): ...\n",
            "t.py:2: the mark belongs",
        ),
    ],
)
def test_a_mark_that_would_not_count_is_refused(text: str, said: str) -> None:
    with pytest.raises(defects.MarkError) as caught:
        list(defects.marked(text, "t.py"))
    assert said in str(caught.value)


def test_a_defect_without_a_test_and_a_test_without_a_defect_are_told() -> None:
    found = defects.shortcomings({"U1": "a", "U2": "b"}, {"U1": {"t"}, "U99": {"t"}})
    assert [line.partition(":")[0] for line in found] == ["U99", "U2"]
