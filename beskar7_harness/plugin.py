"""The pytest plugin: fixtures, the mark, options. ``docs/pytest-plugin.md`` is the manual.

What labs are made of is imported when the first one is asked for: other tests pay nothing.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from beskar7_harness.errors import LabError, NotReached, PromiseBroken, SettingsError

if TYPE_CHECKING:
    from beskar7.kube.port import Kube
    from beskar7_harness.faults import Faults
    from beskar7_harness.fleet import Fleet
    from beskar7_harness.lab import Lab
    from beskar7_harness.managers import Managers
    from beskar7_harness.pool import Pool
    from beskar7_harness.settings import LabSettings

MARK = "beskar7"
FOLDER = "beskar7-artefacts"
KEEP = ("failed", "all", "none")
_POOL: pytest.StashKey[Pool] = pytest.StashKey()
_LABS: pytest.StashKey[list[Lab]] = pytest.StashKey()
_CONCERNED: pytest.StashKey[Exception] = pytest.StashKey()
"""What a test has failed of, where pytest is told no more than its words."""
_TOLD: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()
"""Sections for the report that comes next."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("beskar7", "labs of Beskar7")
    group.addoption(
        "--beskar7-seed",
        type=_seed,
        metavar="N",
        help="the seed of every lab, whatever its mark says",
    )
    group.addoption(
        "--beskar7-artefacts",
        metavar="DIR",
        help=f"where the logs of labs are kept (default: the ini value, or {FOLDER})",
    )
    group.addoption(
        "--beskar7-keep",
        choices=KEEP,
        default="failed",
        help="of which tests the lab's report and logs are kept (default: failed)",
    )
    parser.addini("beskar7_artefacts", "where the logs of labs are kept", default=FOLDER)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARK}(hosts=3, managers=1, vendors=..., racks=..., config={{...}}, args={{...}}, "
        "clock='live', seed=1, scope='function', manager_command=[...]): the lab of this test",
    )
    # sushy-tools brings webob along, which is not the business of those who test controllers.
    config.addinivalue_line("filterwarnings", "ignore:'cgi' is deprecated:DeprecationWarning")
    folder = config.rootpath / _folder(config)
    if folder.exists() and not folder.is_dir():
        raise pytest.UsageError(f"--beskar7-artefacts {folder}: is a file; give a directory")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and not hasattr(config, "workerinput"):
        from beskar7_harness.summary import StepSummary

        config.pluginmanager.register(StepSummary(Path(summary)), "beskar7-step-summary")


def _folder(config: pytest.Config) -> str:
    return str(config.getoption("--beskar7-artefacts") or config.getini("beskar7_artefacts"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What a lab's processes need is imported beside the tests that come before the first one."""
    if not session.config.option.collectonly and any(map(_wants_processes, session.items)):
        from emulator.forking.client import prepare

        prepare()


def _wants_processes(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    asked = "lab" in fixtures or item.get_closest_marker(MARK) is not None
    live = _marked(item).get("clock", "live") == "live"
    return asked and live and "virtual_lab" not in fixtures


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The fields of a test's marks, the nearest counting most."""
    fields: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(MARK))):
        fields |= mark.kwargs
    return fields


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A mark that cannot be fails its test, also where no fixture asks for it."""
    if item.get_closest_marker(MARK) is not None:
        clock = "virtual" if "virtual_lab" in getattr(item, "fixturenames", ()) else None
        _chosen(item, clock)


def _chosen(item: pytest.Item, clock: str | None = None) -> LabSettings:
    """What the marks of a test make; fails the test if they cannot."""
    __tracebackhide__ = True
    from beskar7_harness.settings import settings

    place = f"{item.nodeid}: @pytest.mark.{MARK}"
    if any(mark.args for mark in item.iter_markers(MARK)):
        pytest.fail(f"{place}: give its fields by name, as in hosts=20", pytrace=False)
    fields = _marked(item)
    if clock is not None:
        if fields.get("clock", clock) != clock:
            said = f"the fixture {clock}_lab is in {clock} time; leave it out or use lab"
            pytest.fail(f"{place}: clock: {said}", pytrace=False)
        fields["clock"] = clock
    try:
        return settings(fields, place, item.config.getoption("--beskar7-seed"))
    except SettingsError as error:
        mistakes = str(error)
    pytest.fail(mistakes, pytrace=False)


def _open(request: pytest.FixtureRequest, clock: str | None = None) -> Iterator[Lab]:
    """The lab of a test, of its own or shared; the test fails when it does not come up."""
    __tracebackhide__ = True
    item: pytest.Item = request.node
    chosen = _chosen(item, clock)
    from beskar7_harness import pool as labs

    pool = item.config.stash.setdefault(_POOL, labs.Pool())
    try:
        with pool.lab_of(item, chosen) as lab:
            item.stash.setdefault(_LABS, []).append(lab)
            try:
                lab.enrol()
                yield lab
                if pool.shares(lab):
                    lab.reset()
            except (LabError, NotReached) as error:
                _tell(item, lab, error)
                raise
            finally:
                _keep(item, lab)
        return
    except (LabError, NotReached) as error:
        trouble = str(error)
    pytest.fail(f"the lab of {item.nodeid}: {trouble}", pytrace=False)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A Kubernetes API, a fleet of BMCs, and managers, as the test's marks say."""
    yield from _open(request)


@pytest.fixture
def virtual_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The same in virtual time, whatever the marks of the module say of the clock."""
    yield from _open(request, "virtual")


def _of_test(request: pytest.FixtureRequest) -> Lab:
    found: Lab = request.getfixturevalue(
        "virtual_lab" if "virtual_lab" in request.fixturenames else "lab"
    )
    return found


@pytest.fixture
def kube(request: pytest.FixtureRequest) -> Kube:
    """``lab.kube``: get, list, watch, create, update, patch, delete."""
    return _of_test(request).kube


@pytest.fixture
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """``lab.fleet``: what the machines are, and what their BMCs were asked."""
    return _of_test(request).fleet


@pytest.fixture
def managers(request: pytest.FixtureRequest) -> Managers:
    """``lab.managers``: kill, start, restart, scale."""
    return _of_test(request).managers


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """``lab.faults``: add, clear, during."""
    return _of_test(request).faults


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After the test's own assertions: did the promises hold while it ran?"""
    __tracebackhide__ = True
    labs = pyfuncitem.stash.get(_LABS, [])
    begins = [lab.mark() for lab in labs]
    result = yield
    for lab, since in zip(labs, begins, strict=True):
        if (broken := _broken(lab, since)) is not None:
            pyfuncitem.stash[_CONCERNED] = broken
            pytest.fail(str(broken), pytrace=False)
    return result


def _broken(lab: Lab, since: float) -> PromiseBroken | None:
    try:
        lab.judge(since)
    except PromiseBroken as broken:
        return broken
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the labs of a test that failed, while they are still there."""
    report = yield
    if report.failed:
        if report.when == "call":
            error = item.stash.get(_CONCERNED, None) or (call.excinfo and call.excinfo.value)
            for lab in item.stash.get(_LABS, []):
                _tell(item, lab, error)
        told: list[tuple[str, str]] = item.stash.get(_TOLD, [])
        report.sections += told
        item.stash[_TOLD] = []
        report.user_properties = list(item.user_properties)
    return report


def _tell(item: pytest.Item, lab: Lab, error: BaseException | None) -> None:
    """What the next report is to say of a lab that is still there; and keep its logs."""
    from beskar7_harness.report import tell

    # First: to ask a world in virtual time makes another run of it.
    told = list(tell(item.nodeid, lab, error))
    folder = _keep(item, lab, f"{item.nodeid} failed")
    if folder is not None:
        told.append(("beskar7 kept", f"{folder}: report.html, timeline.html and all logs"))
    item.stash.setdefault(_TOLD, []).extend(told)


def _keep(item: pytest.Item, lab: Lab, reason: str = "") -> Path | None:
    """Have the reports name the lab's seed, and keep its logs as the options say; where."""
    from beskar7_harness.report import properties, save

    known = dict(item.user_properties)
    new = {name: value for name, value in properties(lab).items() if name not in known}
    wanted = item.config.getoption("--beskar7-keep")
    kept = None
    if "beskar7_artefacts" not in known and (wanted == "all" or (reason and wanted == "failed")):
        folder = item.config.rootpath / _folder(item.config)
        try:
            kept = save(folder, item.nodeid, lab, reason)
            new["beskar7_artefacts"] = str(kept)
        except OSError as error:
            # A full disk must not hide why the test failed.
            warnings.warn(f"{folder}: cannot keep the lab's logs: {error}", stacklevel=1)
    item.user_properties += list(new.items())
    return kept
