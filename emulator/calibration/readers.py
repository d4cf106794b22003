"""Readers of recorded logs: CSV, DMTF's time.json, Prometheus' histogram buckets.

Each adds to the observations, and writes down what is wrong with the file, with its line.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from emulator.calibration.observations import Observations, Sample, kind_of, seconds
from emulator.fields import FieldError

MAX_BYTES = 256 * 1024 * 1024
MAX_TIME_FILES = 100_000
OUR_METRIC = "beskar7_bmc_request_duration_seconds"
_TIMES = {f"{method}_Time": method for method in ("GET", "HEAD", "POST", "PATCH", "DELETE")}


@dataclass(slots=True)
class Reading:
    """What was read so far. ``renamed`` maps a log's own words to kinds of request."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    metric: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    found: Observations = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def sample(self, operation: str, file: Path) -> Sample:
        """Where observations of an operation go. Raises :class:`FieldError` for an unknown one."""
        kind = self.renamed.get(operation) or kind_of(operation)
        sample = self.found.setdefault(kind, Sample())
        sample.from_file(file.name)
        return sample

    def wrong(self, file: Path, line: int, bad: Exception | str) -> None:
        self.problems.append(f"{file}:{line}: {bad}")


def read(place: Path, reading: Reading) -> None:
    """Read a file, or the folder of a mockup. Raises :class:`FieldError` where it cannot be."""
    if place.is_dir():
        files = sorted(place.rglob("time.json"))[:MAX_TIME_FILES]
        if not files:
            raise FieldError(f"{place}: must hold files time.json, as the mockup creator's -T does")
        for file in files:
            read_time_json(file, reading)
        return
    text = _text(place)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        read_time_json(place, reading)
    elif "_bucket{" in text:
        read_buckets(place, text, reading)
    else:
        read_csv(place, text, reading)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise FieldError(f"{file}: must be at most {MAX_BYTES // 1024**2} MiB")
        return file.read_text("utf-8-sig")
    except OSError as missing:
        raise FieldError(f"{file}: cannot be read: {missing.strerror}") from None
    except UnicodeDecodeError:
        raise FieldError(f"{file}: must be UTF-8 text") from None


def read_csv(file: Path, text: str, reading: Reading) -> None:
    """Rows of operation and seconds; a header, where there is one, says in which columns."""
    rows = csv.reader(text.splitlines())
    operation, duration = 0, 1
    for row in rows:
        line = rows.line_num
        if not row or row[0].lstrip().startswith("#"):
            continue
        names = [name.strip().lower() for name in row]
        if line == 1 and not _is_number(row[1:2]):
            if not {"operation", "seconds"} <= set(names):
                reading.wrong(file, line, "header: must name the columns operation and seconds")
                return
            operation, duration = names.index("operation"), names.index("seconds")
            continue
        if len(row) <= max(operation, duration):
            reading.wrong(file, line, "row: must have operation and seconds, as in get,0.123")
            continue
        try:
            value = seconds(row[duration].strip())
            reading.sample(row[operation].strip(), file).values.append(value)
        except FieldError as bad:
            reading.wrong(file, line, bad)


def _is_number(cells: list[str]) -> bool:
    try:
        float(cells[0])
    except (ValueError, IndexError):
        return False
    return True


def read_time_json(file: Path, reading: Reading) -> None:
    """DMTF's file beside a mockup's resource: ``{"GET_Time": "0.12"}``, seconds.

    The mockup creator writes hundredths; a value stands for all that are rounded to it.
    """
    try:
        data = json.loads(_text(file), parse_float=str)
    except json.JSONDecodeError as bad:
        reading.wrong(file, bad.lineno, f"must be JSON: {bad.msg}")
        return
    if not isinstance(data, dict) or not set(data) & set(_TIMES):
        reading.wrong(file, 1, f"must be an object with one of {', '.join(_TIMES)}, in seconds")
        return
    for name, method in _TIMES.items():
        if name not in data:
            continue
        try:
            value = seconds(data[name])
            sample = reading.sample(f"{method} {_resource(file)}", file)
            _add_rounded(sample, value, str(data[name]))
        except FieldError as bad:
            reading.wrong(file, 1, f"{name}: {str(bad).partition(': ')[2]}")


def _resource(file: Path) -> str:
    """The path of the resource that a file lies beside."""
    parts = file.resolve().parent.parts
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] == "redfish":
            return "/" + "/".join(parts[index:])
    return "/redfish/v1/"


def _add_rounded(sample: Sample, value: float, written: str) -> None:
    try:
        digits = -int(Decimal(written).as_tuple().exponent)
    except (InvalidOperation, ValueError):
        digits = 6
    if digits > 3:
        sample.values.append(value)
        return
    half = Decimal(5).scaleb(-digits - 1)
    middle = Decimal(written)
    bounds = (float(max(middle - half, Decimal(0))), float(middle + half))
    sample.bins[bounds] = sample.bins.get(bounds, 0.0) + 1.0


def read_buckets(file: Path, text: str, reading: Reading) -> None:
    """Cumulative buckets of a Prometheus histogram, in its text form; series are added up."""
    series: dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float, int]]] = {}
    for line, name, labels, value in _samples(file, text, reading):
        if not name.endswith("_bucket"):
            continue
        bound = labels.pop("le", "")
        try:
            limit = float(bound)
            series.setdefault((name.removesuffix("_bucket"), frozenset(labels.items())), []).append(
                (limit, value, line)
            )
        except ValueError:
            reading.wrong(file, line, f"le: must be a number or +Inf, not {bound!r}")
    names = sorted({name for name, _ in series})
    wanted = reading.metric or (OUR_METRIC if OUR_METRIC in names else names[0] if names else "")
    if not reading.metric and wanted != OUR_METRIC and len(names) > 1:
        raise FieldError(f"{file}: has several histograms; say --metric {' or '.join(names)}")
    if wanted not in names:
        raise FieldError(f"{file}: has no histogram {wanted!r}; it has {', '.join(names)}")
    for (name, pairs), buckets in series.items():
        given = dict(pairs)
        if name == wanted and all(given.get(key) == v for key, v in reading.labels.items()):
            _add_buckets(file, given, sorted(buckets), reading)


def _samples(
    file: Path, text: str, reading: Reading
) -> Iterator[tuple[int, str, dict[str, str], float]]:
    """Line by line, so that a line that cannot be read is named."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            for family in text_string_to_metric_families(line + "\n"):
                for sample in family.samples:
                    yield number, sample.name, dict(sample.labels), float(sample.value)
        except (ValueError, KeyError, IndexError) as bad:
            reading.wrong(file, number, f"must be a sample of Prometheus' text format: {bad}")


def _add_buckets(
    file: Path, labels: dict[str, str], buckets: list[tuple[float, float, int]], reading: Reading
) -> None:
    first = buckets[0][2]
    if "operation" not in labels:
        reading.wrong(file, first, "must have the label operation, which says what was measured")
        return
    if labels.get("outcome", "success") != "success":
        return  # A request that failed says how long a client waits, not how long a BMC takes.
    if not math.isinf(buckets[-1][0]):
        reading.wrong(file, buckets[-1][2], 'must end with the bucket le="+Inf"')
        return
    low, before = 0.0, 0.0
    counted: list[tuple[tuple[float, float], float]] = []
    for limit, value, line in buckets:
        if value < before:
            reading.wrong(file, line, f"must not be less than the bucket before it ({before:g})")
            return
        counted.append(((low, limit), value - before))
        low, before = limit, value
    if not before:
        return
    try:
        sample = reading.sample(labels["operation"], file)
    except FieldError as bad:
        reading.wrong(file, first, bad)
        return
    for bounds, count in counted:
        sample.bins[bounds] = sample.bins.get(bounds, 0.0) + count
