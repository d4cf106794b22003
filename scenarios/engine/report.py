"""``report.html``: one file that holds all it shows, readable offline and on a phone."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from beskar7.api.durations import format_duration
from scenarios.engine import charts, timeline
from scenarios.engine.checks import bound_of, format_value
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import plan_hosts
from scenarios.engine.machinetimes import MachineTimes, machine_times
from scenarios.engine.measure_names import DISTRIBUTIONS, SCALARS
from scenarios.engine.measures import samples
from scenarios.engine.rehearsal.show import rounded, stretches
from scenarios.engine.result import Result
from scenarios.engine.schema import Scenario
from scenarios.pages.templating import template

SHOWN_MACHINES = 1000
CHARTS = (
    ("claim_seconds", "Time to claim"),
    ("waited_claim_seconds", "Time to claim after waiting for a host"),
    ("provision_seconds", "Time from claim to Provisioned"),
    ("release_seconds", "Time to release"),
)
STATES = (
    "Enrolling",
    "Available",
    "Claimed",
    "Provisioning",
    "Provisioned",
    "Deprovisioning",
    "Error",
    "Unknown",
)


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    meaning: str
    svg: Markup
    summary: str


def render(result: Result) -> str:
    """The page. Everything that comes from outside is escaped by the template engine."""
    evidence = result.evidence
    found = samples(evidence)
    violations = result.violations
    rows = machine_times(evidence)
    lanes = timeline.build(
        evidence, {violation.host for violation in violations}, _about(evidence.scenario)
    )
    return template("report.html.j2").render(
        result=result,
        evidence=evidence,
        scenario=evidence.scenario,
        origin=evidence.origin,
        checks=[
            (
                item,
                bound_of(item.check)[0],
                format_value(bound_of(item.check)[1], item.check.unit),
                format_value(item.value, item.check.unit),
            )
            for item in result.checks
        ],
        violations=violations,
        charts=_charts(result, found),
        progress=_progress(evidence, rows),
        timeline=lanes,
        states=STATES,
        machines=[_row(row, evidence.origin) for row in rows[:SHOWN_MACHINES]],
        hidden_machines=max(0, len(rows) - SHOWN_MACHINES),
        distributions=[
            (
                name,
                meaning,
                [_seconds(result.metrics.get(f"{name}.{s}")) for s in ("p50", "p95", "p99", "max")],
                int(result.metrics.get(f"{name}.count") or 0),
            )
            for name, meaning in DISTRIBUTIONS.items()
        ],
        scalars=[
            (name, measure.meaning, format_value(result.metrics.get(name), measure.unit))
            for name, measure in SCALARS.items()
        ],
        headline=_headline(result),
        acts=stretches(evidence.parts, evidence.ended),
        rounded=rounded,
    )


def _about(scenario: Scenario) -> dict[str, str]:
    return {h.name: f"{h.vendor}, {h.rack}" for h in plan_hosts(scenario.world.hosts)}


def _seconds(value: float | None) -> str:
    return format_value(value, "seconds")


def _headline(result: Result) -> list[tuple[str, str, str]]:
    """The figures that a reader wants first: value, name, a word on it."""
    metrics = result.metrics
    return [
        (
            f"{metrics['provisioned'] or 0:.0f}",
            "machines provisioned",
            f"of {metrics['machines_created'] or 0:.0f} created",
        ),
        (
            _seconds(metrics["claim_seconds.p95"]),
            "claim P95",
            f"P50 {_seconds(metrics['claim_seconds.p50'])}",
        ),
        (
            format_value(metrics["conflict_ratio"], "ratio"),
            "conflicts",
            f"{metrics['conflicts'] or 0:.0f} of {metrics['claim_attempts'] or 0:.0f} attempts",
        ),
        (
            f"{metrics['bmc_concurrent_operations_max'] or 0:.0f}",
            "BMC operations at once",
            f"{metrics['bmc_operations'] or 0:.0f} in all",
        ),
        (
            _seconds(metrics["failover_seconds.max"]),
            "fail-over",
            f"managers killed: {metrics['managers_killed'] or 0:.0f}",
        ),
        (
            format_duration(round(result.virtual_seconds, 1)),
            f"on the {result.evidence.clock} clock",
            f"{format_duration(round(result.wall_seconds, 1))} of wall time",
        ),
    ]


def _charts(result: Result, found: dict[str, list[float]]) -> list[Chart]:
    limits = {
        c.check.measure: c.check.maximum for c in result.checks if c.check.maximum is not None
    }
    made = []
    for name, title in CHARTS:
        if not found[name]:
            continue
        limit = limits.get(f"{name}.p95", limits.get(f"{name}.max"))
        figures = [f"{s} {_seconds(result.metrics[f'{name}.{s}'])}" for s in ("p50", "p95", "p99")]
        summary = f"{len(found[name])} samples; {', '.join(figures)}"
        svg = charts.distribution(found[name], title, limit)
        made.append(Chart(title, DISTRIBUTIONS[name], svg, summary))
    return made


def _progress(evidence: Evidence, rows: list[MachineTimes]) -> Markup:
    origin = evidence.origin

    def since(times: list[float | None]) -> list[float]:
        return [time - origin for time in times if time is not None]

    series: list[charts.Series] = [
        ("created", "s-created", since([row.created for row in rows])),
        ("claimed", "s-claimed", since([row.claimed for row in rows])),
        ("provisioned", "s-provisioned", since([row.provisioned for row in rows])),
        ("deleted", "s-deleted", since([row.deletion for row in rows])),
    ]
    marks = [
        (incident.time - origin, f"{incident.kind} {incident.subject}")
        for incident in evidence.incidents
        if incident.kind == "kill-manager"
    ]
    return charts.cumulative(series, max(evidence.ended - origin, 1e-3), marks)


def _row(row: MachineTimes, origin: float) -> dict[str, str | float | bool | None]:
    """Seconds since the load's start, and durations."""

    def since(time: float | None) -> float | None:
        return None if time is None else time - origin

    claim = row.claimed - row.eligible if row.claimed is not None and row.eligible else None
    took = row.provisioned - row.claimed if row.provisioned and row.claimed else None
    release = row.released - row.deletion if row.released and row.deletion else None
    return {
        "name": row.name,
        "created": since(row.created),
        "claim": claim,
        "waited": row.waited,
        "host": row.host,
        "provisioned": since(row.provisioned),
        "took": took,
        "deleted": since(row.deletion),
        "release": release,
    }
