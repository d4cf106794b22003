"""beskar7 load: what is wrong with its arguments, and with where it runs, is said before a lab is
up."""

from __future__ import annotations

import pytest

from beskar7.cli import main
from scenarios.load import command

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("where", [[], ["--kubeconfig", "nowhere"]])
def test_without_locust_it_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["load", "batch", *where]) == 2
    said = capsys.readouterr().err
    assert "Locust is not installed" in said
    assert "make load" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kubeconfig", "nowhere", "--mode", "leader"], "--mode: of the lab"),
        (["--clock", "virtual", "--processes", "2"], "--processes: of Locust"),
        (["--namespace", "metal"], "--namespace: belongs to --kubeconfig"),
    ],
)
def test_what_does_not_go_together_is_named(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main(["load", "batch", *words]) == 2
    assert told in capsys.readouterr().err
