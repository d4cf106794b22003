"""README, tutorial and guides: their commands are ones that `beskar7` takes, of scenarios that are
there; what they have one write can be read."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from loadtest.thresholds import parse
from scenarios.engine.loader import load, loads
from scenarios.models.play import simulate

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs"
README = DOCS.parent / "README.md"
PAGES = [*sorted((DOCS / "how-to").glob("*.md")), DOCS / "tutorial.md", README]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page, those inside of lists too."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def commands() -> Iterator[tuple[str, str]]:
    """Page and command, of every `beskar7` in the blocks for a shell and between back-quotes."""
    for page in PAGES:
        text = "\n".join(blocks(page, "(?:sh|console)")).replace("\\\n", " ")
        for line in re.findall(r"^(?:\$ )?(?:\.venv/bin/)?(beskar7 .*)", text, re.M):
            yield page.name, line
        prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
        yield from ((page.name, line) for line in re.findall(r"`(beskar7 \w+ [^`]+)`", prose))


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="beskar7")
    below = parser.add_subparsers(required=True)
    for point in entry_points(group="beskar7.commands"):
        point.load()(below)
    return parser


def test_beskar7_takes_every_command(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    known = list(commands())
    assert len(known) > 20
    for page, line in known:
        words = [word for word in shlex.split(line, comments=True)[1:] if word != "..."]
        try:
            parser.parse_args(words)
        except SystemExit:
            pytest.fail(f"{page}: {line}\n{capsys.readouterr().err}")


def test_the_readme_runs_scenarios_that_are_there_by_a_model_that_knows_them(
    parser: argparse.ArgumentParser,
) -> None:
    modelled = 0
    for line in (line for page, line in commands() if page == README.name):
        args = parser.parse_args(shlex.split(line, comments=True)[1:])
        name = getattr(args, "scenario", None)
        if not isinstance(name, str) or name.endswith(".yaml"):
            continue
        scenario = load(name)
        if getattr(args, "fidelity", None) == "model":
            simulate(scenario, seed=1)
            modelled += 1
    assert modelled


def test_a_command_that_is_none_is_refused(parser: argparse.ArgumentParser) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["run", "mine.yaml", "--clok", "virtual"])


def test_the_scenario_that_is_written_step_by_step_can_be_read() -> None:
    text = "\n".join(blocks(DOCS / "how-to" / "write-a-scenario.md", "yaml"))
    scenario = loads(text)
    assert scenario.world.hosts.count == 20
    assert len(scenario.faults) == 1
    assert len(scenario.checks) == 2


def test_the_thresholds_can_be_read() -> None:
    (text,) = blocks(DOCS / "how-to" / "load-test-your-cluster.md", "yaml")
    assert len(parse(yaml.safe_load(text))) == 3
