"""``beskar7 monitoring`` as a person types it."""

from __future__ import annotations

import json

import pytest
import yaml

from beskar7.cli import main
from beskar7.manifests.objects import service_monitor
from beskar7.monitoring.dashboard import dashboard
from beskar7.monitoring.rules import prometheus_rule, rule_groups

pytestmark = pytest.mark.unit


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["monitoring", *args]) == 0
    return capsys.readouterr().out


def test_what_is_printed_is_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert yaml.safe_load(printed(capsys, "rules")) == rule_groups()
    small = printed(capsys, "rules", "--compress", "10", "--runbooks", "https://x")
    assert yaml.safe_load(small) == rule_groups(compression=10, runbooks="https://x")
    rule = printed(capsys, "prometheus-rule", "--namespace", "n")
    assert yaml.safe_load(rule) == prometheus_rule("n")
    assert yaml.safe_load(printed(capsys, "service-monitor", "--namespace", "n")) == (
        service_monitor("n")
    )
    assert json.loads(printed(capsys, "dashboard")) == dashboard()


def test_expressions_are_printed_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\\n" not in printed(capsys, "rules")


def test_no_credential_gets_into_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "prometheus", "--rules", "r.yaml", "--kubeconfig", "/k")
    scrape = yaml.safe_load(text)["scrape_configs"][0]
    assert scrape["kubernetes_sd_configs"][0]["kubeconfig_file"] == "/k"
    assert "token" not in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "WHAT"),
        (["rules", "--compress", "0"], "1 to 20"),
        (["rules", "--compress", "21"], "1 to 20"),
        (["rules", "--compress", "x"], "1 to 20"),
        (["prometheus"], "--rules"),
        (["prometheus", "--rules", "r", "--targets", "t", "--kubeconfig", "k"], "not allowed"),
    ],
)
def test_a_mistake_is_told(capsys: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["monitoring", *args])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
