"""The command that a plan gives for making it again names all that it was made from."""

from __future__ import annotations

import argparse
import shlex

import pytest

from scenarios.planner.command import command_of, register

pytestmark = pytest.mark.unit

CLUSTER = ["plan", "--from-cluster", "--kubeconfig", "a file"]
SLO = ["--slo", "p95(time_to_claim)<2s"]


def read(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    return parser.parse_args(words)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--from-cluster", *SLO],
        [*CLUSTER, "--machines", "5", "--context", "c", "--namespace", "other", *SLO],
        [*("plan", "--from-prometheus", "http://127.0.0.1:9090", "--history", "168h"), *SLO],
        ["plan", "smoke", *SLO, "--range", "workers=1..9", "--set", "load.machines=3"],
    ],
)
def test_it_is_read_as_what_was_asked(words: list[str]) -> None:
    asked = read(words)
    again = shlex.split(command_of(asked))
    assert again[0] == "beskar7"
    assert vars(read(again[1:])) == vars(asked)


def test_a_cluster_that_was_not_asked_is_not_named() -> None:
    assert "kubeconfig" not in command_of(read(["plan", "smoke", *SLO, "--kubeconfig", "x"]))
