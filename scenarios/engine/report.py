"""``report.html``: one file that holds all it shows, readable offline and on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beskar7.api.durations import format_duration
from scenarios.engine import timeline
from scenarios.engine.checks import bound_of, format_value
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import plan_hosts
from scenarios.engine.machinetimes import MachineTimes, machine_times
from scenarios.engine.measure_names import DISTRIBUTIONS, SCALARS
from scenarios.engine.measures import samples
from scenarios.engine.rehearsal.show import rounded, stretches
from scenarios.engine.result import Result
from scenarios.engine.schema import Scenario
from scenarios.pages.content import Axis, Mark, Plot, Series
from scenarios.pages.page import figure
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


FAR = 3.0
"""A bound beyond so many times the largest sample would squeeze the samples; it is only named."""


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
        charts=[figure(plot) for plot in (*_charts(result, found), _progress(evidence, rows))],
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


def _charts(result: Result, found: dict[str, list[float]]) -> Iterator[Plot]:
    limits = {
        c.check.measure: c.check.maximum for c in result.checks if c.check.maximum is not None
    }
    for name, title in CHARTS:
        values = found[name]
        if not values:
            continue
        figures = {s: result.metrics[f"{name}.{s}"] for s in ("p50", "p95", "p99")}
        told = ", ".join(f"{s.upper()} {_seconds(value)}" for s, value in figures.items())
        note = f"{DISTRIBUTIONS[name]}. {len(values)} samples; {told}."
        marks = [Mark(figures[s] or 0.0, s.upper(), "x", "plain") for s in ("p50", "p95")]
        limit = limits.get(f"{name}.p95", limits.get(f"{name}.max"))
        if limit is not None and limit <= FAR * max(values):
            marks.append(Mark(limit, "limit", "x"))
        elif limit is not None:
            note += f" The limit, {format_duration(limit)}, is far to the right."
        seconds, series = Axis("seconds", "seconds"), Series(title, values)
        yield Plot(title, seconds, Axis(""), [series], "distribution", marks=marks, note=note)


def _progress(evidence: Evidence, rows: list[MachineTimes]) -> Plot:
    origin = evidence.origin
    end = max(evidence.ended - origin, 1e-3)

    def counted(name: str, times: Iterable[float | None]) -> Series:
        came = sorted(max(0.0, time - origin) for time in times if time is not None)
        return Series(name, [0.0, *came, end], [0.0, *range(1, len(came) + 1), len(came)])

    marks = [
        Mark(max(0.0, incident.time - origin), f"{incident.subject} killed", "x")
        for incident in evidence.incidents
        if incident.kind == "kill-manager"
    ]
    series = [
        counted("created", (row.created for row in rows)),
        counted("claimed", (row.claimed for row in rows)),
        counted("provisioned", (row.provisioned for row in rows)),
        counted("deleted", (row.deletion for row in rows)),
    ]
    time, count = Axis("since the load began", "seconds"), Axis("machines", "count")
    note = "How many had come so far."
    return Plot("Machines over time", time, count, series, "step", marks=marks, note=note)


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
