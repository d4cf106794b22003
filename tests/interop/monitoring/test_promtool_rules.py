"""Prometheus' own tool reads the rules, and plays series to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.monitoring.dashboard import dashboard
from beskar7.monitoring.rules import COMPONENT, MAX_COMPRESSION, rule_groups
from beskar7.monitoring.scraping import prometheus_configuration

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "alarm_cases.yaml").read_text(encoding="utf-8"))
GUIDE = yaml.safe_load((HERE / "guide_expressions.yaml").read_text(encoding="utf-8"))
ALARMS = {
    rule["alert"]: rule
    for group in rule_groups()["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
Write = Callable[[str, Any], Path]


@pytest.mark.parametrize("factor", [1, 7, MAX_COMPRESSION])
def test_prometheus_takes_the_rules(promtool: Any, write_yaml: Write, factor: int) -> None:
    path = write_yaml("rules.yaml", rule_groups(compression=factor))
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration(
    promtool: Any, write_yaml: Write, tmp_path: Path
) -> None:
    write_yaml("rules.yaml", rule_groups())
    (tmp_path / "targets.json").write_text('[{"targets": ["127.0.0.1:8080"]}]', encoding="utf-8")
    configuration = prometheus_configuration("rules.yaml", targets="targets.json")
    done = promtool("check", "config", write_yaml("prometheus.yml", configuration))
    assert done.returncode == 0, done.stdout + done.stderr


def in_grafana(expression: str) -> str:
    """With the dashboard's variables filled in, as Grafana does."""
    return expression.replace("$__rate_interval", "2m").replace("$namespace", ".*")


def test_prometheus_parses_every_query_of_the_dashboard(promtool: Any, write_yaml: Write) -> None:
    queries = [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())
    ]
    rules = [
        {"record": f"dashboard:{number}", "expr": in_grafana(query)}
        for number, query in enumerate(queries)
    ]
    path = write_yaml("queries.yaml", {"groups": [{"name": "dashboard", "rules": rules}]})
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout


def test_every_alarm_is_seen_firing_with_its_words_and_seen_quiet() -> None:
    fired = {name for case in CASES["cases"] for name in case["fires"]}
    assert fired == set(ALARMS)
    told = {name for case in CASES["cases"] for name in case.get("says", ())}
    constant = {name for name, rule in ALARMS.items() if "{{" not in description_of(rule)}
    assert told | constant == set(ALARMS)
    # A case names all that fires, so that each of the others is a quiet one, too.
    assert [case["fires"] for case in CASES["cases"]].count({}) > 10


def description_of(rule: dict[str, Any]) -> str:
    return str(rule["annotations"]["description"])


def labels_of(name: str, labels: dict[str, str]) -> dict[str, str]:
    severity = ALARMS[name]["labels"]["severity"]
    return {"severity": severity, "component": COMPONENT, **labels}


def as_test(case: dict[str, Any]) -> dict[str, Any]:
    """In promtool's form: all that fires, by the series ALERTS, and the words where given."""
    series = {**CASES["healthy"], **case.get("series", {})}
    firing = [
        {"labels": firing_series(name, labels), "value": 1}
        for name, found in case["fires"].items()
        for labels in found
    ]
    return {
        "name": case["name"],
        "interval": "30s",
        "input_series": [
            {"series": name, "values": str(values)}
            for name, values in series.items()
            if values is not None
        ],
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": time, "exp_samples": firing}
            for time in case["at"]
        ],
        "alert_rule_test": [
            {
                "alertname": name,
                "eval_time": case["at"][0],
                "exp_alerts": [
                    {
                        "exp_labels": labels_of(name, labels),
                        "exp_annotations": {**ALARMS[name]["annotations"], "description": words},
                    }
                    for labels in case["fires"][name]
                ],
            }
            for name, words in case.get("says", {}).items()
        ],
    }


def firing_series(name: str, labels: dict[str, str]) -> str:
    found = {"alertname": name, "alertstate": "firing", **labels_of(name, labels)}
    return "ALERTS{" + ",".join(f'{key}="{value}"' for key, value in found.items()) + "}"


def run_cases(promtool: Any, write_yaml: Write, tests: list[dict[str, Any]]) -> Any:
    write_yaml("rules.yaml", rule_groups())
    order = [group["name"] for group in rule_groups()["groups"]]
    path = write_yaml(
        "cases.yaml",
        {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "30s",
            "group_eval_order": order,
            "tests": tests,
        },
    )
    return promtool("test", "rules", path)


def test_alarms_fire_on_what_they_mean_and_on_nothing_else(
    promtool: Any, write_yaml: Write
) -> None:
    done = run_cases(promtool, write_yaml, [as_test(case) for case in CASES["cases"]])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "fires"),
    [
        ("a healthy installation under load", {"HostsInError": [{"namespace": "default"}]}),
        ("hosts in Error", {}),
    ],
)
def test_promtool_would_see_a_wrong_case(
    promtool: Any, write_yaml: Write, name: str, fires: dict[str, Any]
) -> None:
    (case,) = [case for case in CASES["cases"] if case["name"] == name]
    wrong = {key: case[key] for key in case if key != "says"} | {"fires": fires}
    done = run_cases(promtool, write_yaml, [as_test(wrong)])
    assert done.returncode == 1
    assert "HostsInError" in done.stdout + done.stderr


def our_expression(case: dict[str, Any]) -> str:
    title = re.match(r"panel (.*)", case["ours"])
    if title is None:
        return str(case["ours"])
    (panel,) = [p for p in dashboard()["panels"] if p["title"] == title.group(1)]
    return in_grafana(panel["targets"][0]["expr"])


def test_the_guides_expressions_would_lie_where_ours_tell_the_truth(
    promtool: Any, write_yaml: Write
) -> None:
    tests = []
    for case in GUIDE:
        assert case["told"] != case["truth"]
        series = [{"series": name, "values": values} for name, values in case["series"].items()]
        # As a sum, so that only the value counts, and not which labels are left.
        values = [
            {
                "expr": f"round(sum({expression}), 0.001)",
                "eval_time": "10m",
                "exp_samples": [{"labels": "{}", "value": value}],
            }
            for expression, value in (
                (case["guide"], case["told"]),
                (our_expression(case), case["truth"]),
            )
        ]
        tests.append(
            {
                "name": case["name"],
                "interval": "30s",
                "input_series": series,
                "promql_expr_test": values,
            }
        )
    done = run_cases(promtool, write_yaml, tests)
    assert done.returncode == 0, done.stdout + done.stderr
