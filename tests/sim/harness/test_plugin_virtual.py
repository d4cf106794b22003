"""The pytest plugin as its users meet it: their test files, what pytest says and leaves."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.sim
ARGUMENTS = ("-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:xdist")
FAILING = """
import pytest

@pytest.mark.beskar7(hosts=2, clock="virtual", seed=8)
def test_three_on_two_hosts(lab):
    machines = lab.create_machines(3)
    lab.wait_until(*(machine.provisioned for machine in machines), timeout=30)
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = --strict-markers")
    return pytester


def output(result: pytest.RunResult) -> str:
    return str(result.stdout)


def test_what_holds_is_quiet_and_leaves_nothing(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.beskar7(hosts=2, clock="virtual")

        @pytest.fixture
        def machine(lab):
            machine = lab.create_machine()
            lab.wait_until(machine.claimed)
            return machine

        @pytest.mark.beskar7(managers=2)
        def test_fixtures_are_those_of_the_lab(lab, kube, fleet, managers, faults, machine):
            assert (kube, fleet) == (lab.kube, lab.fleet)
            assert (managers, faults) == (lab.managers, lab.faults)
            assert len(managers.names()) == 2
            assert lab.wait_until(machine.provisioned) > 0

        @pytest.mark.beskar7(hosts=1)
        def test_the_nearest_mark_counts(virtual_lab, faults):
            assert len(virtual_lab.hosts()) == 1
            assert faults is virtual_lab.faults
            assert virtual_lab.seed == 1
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS, "-W", "error::pytest.PytestWarning")
    result.assert_outcomes(passed=2)
    assert "warning" not in output(result)
    assert not (run.path / "beskar7-artefacts").exists()


def test_a_failure_shows_cause_timeline_and_how_to_have_it_again(run: pytest.Pytester) -> None:
    run.makepyfile(test_mine=FAILING)
    result = run.runpytest_inprocess(*ARGUMENTS, "--junitxml=report.xml")
    result.assert_outcomes(failed=1)
    said = output(result)
    lost = re.search(r"not: (machine-00\d) is Provisioned: it is", said)
    assert lost
    result.stdout.fnmatch_lines(
        [
            ">       lab.wait_until(*",
            "E   *NotReached: after 30s: not: machine-00? is Provisioned: it is *",
            "E   *PhysicalHostAssociated*WaitingForPhysicalHost*",
            "test_mine.py:6: NotReached",
            "*beskar7 lab*",
            "virtual clock, seed 8, *",
            "hosts: 2 Provisioned",
            "machines: 2 Provisioned, 1 Waiting",
            "trace hash: *",
            "again: pytest test_mine.py::test_three_on_two_hosts --beskar7-seed 8 *",
            f"*timeline of {lost.group(1)}*",
            f"*create Beskar7Machine {lost.group(1)}*",
            "*beskar7 kept*",
            "*beskar7-artefacts*test_three_on_two_hosts: report.html, timeline.html and all logs",
        ]
    )
    assert "beskar7_harness/" not in said.replace("beskar7_harness.errors", "")
    folder = run.path / "beskar7-artefacts" / "test_mine.py__test_three_on_two_hosts"
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "result.json", "timeline.txt", "writes.jsonl.gz", "replay.txt"} <= names
    kept = json.loads((folder / "result.json").read_text())
    hashed = re.search(r"trace hash: (\w+)", said)
    assert hashed is not None
    assert kept["trace_hash"] == hashed.group(1)
    assert "failed" in kept["shortfalls"][0]
    found = {
        item.get("name"): item.get("value") for item in ET.parse("report.xml").iter("property")
    }
    assert found["beskar7_seed"] == "8"
    assert found["beskar7_trace_hash"] == kept["trace_hash"]
    assert found["beskar7_artefacts"] == str(folder)


def test_the_replay_is_the_same_run_and_another_seed_is_not(run: pytest.Pytester) -> None:
    run.makepyfile(test_mine=FAILING)

    def trace(*arguments: str) -> str:
        said = output(run.runpytest_inprocess(*ARGUMENTS, *arguments))
        found = re.search(r"trace hash: (\w+)", said)
        assert found
        return found.group(1)

    test = "test_mine.py::test_three_on_two_hosts"
    first = trace(test)
    assert trace(test, "--beskar7-seed", "8") == first
    assert trace(test, "--beskar7-seed", "9") != first


def test_a_mark_that_cannot_be_fails_its_test_alone(run: pytest.Pytester) -> None:
    run.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.beskar7(hots=2)
        def test_misspelt(lab):
            pass

        @pytest.mark.beskar7(20)
        def test_without_a_name():
            pass

        @pytest.mark.beskar7(clock="live")
        def test_two_minds(virtual_lab):
            pass

        def test_that_has_no_lab():
            pass
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(passed=1, errors=3)
    mark = "@pytest.mark.beskar7"
    result.stdout.fnmatch_lines(
        [
            f'test_mine.py::test_misspelt: {mark}: hots: unknown field; did you mean "hosts"?',
            f"test_mine.py::test_without_a_name: {mark}: give its fields by name, as in hosts=20",
            f"test_mine.py::test_two_minds: {mark}: clock: the fixture virtual_lab is in *",
        ]
    )
    assert "Traceback" not in output(result)
    assert "plugin.py" not in output(result)


def test_options_that_cannot_be(run: pytest.Pytester) -> None:
    (run.path / "file").write_text("")
    for argument, said in (
        ("--beskar7-seed=x", "*--beskar7-seed: 'x' is not a whole number from 0 on*"),
        ("--beskar7-keep=some", "*invalid choice: 'some'*"),
        ("--beskar7-artefacts=file", "*--beskar7-artefacts *file: is a file; give a directory*"),
    ):
        result = run.runpytest_inprocess(*ARGUMENTS, argument)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([said])


def test_a_lab_of_the_module_is_put_back_between_its_tests(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.beskar7(hosts=2, managers=2, clock="virtual", scope="module")
        seen = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_turn(lab, turn):
            seen.append(lab)
            assert lab is seen[0]
            assert lab.machines() == []
            assert len(lab.managers.names()) == 2
            assert all(lab.holds(host.available) for host in lab.hosts())
            lab.faults.add("latency", latency={"mean": "1ms"})
            lab.create_machines(2)
            lab.managers.kill()

        @pytest.mark.beskar7(hosts=3)
        def test_another_wish_is_another_lab(lab):
            assert lab is not seen[0]

        def test_that_cannot_be_put_back(lab):
            assert lab is seen[0]
            lab.managers.scale(0)
            lab.create_machine()
            lab.kube.patch(
                lab.machines()[0].kind, lab.namespace, "machine-005",
                {"metadata": {"finalizers": ["example.org/never"]}},
            )

        def test_after_it_has_a_new_one(lab):
            assert lab is not seen[0]
            assert not seen[0].is_open
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*the lab of *test_that_cannot_be_put_back: after 30s:*"])


def test_a_broken_promise_fails_a_test_that_did_not_look(run: pytest.Pytester) -> None:
    body = """
        import pytest
        from beskar7.api.kinds import PHYSICAL_HOST

        @pytest.mark.beskar7(clock="virtual", hosts=2{more})
        def test_by_hand(lab):
            host = lab.host("host-002").object()
            host["status"]["state"] = "Provisioned"
            lab.kube.update_status(PHYSICAL_HOST, host)
    """
    run.makepyfile(body.format(more=""))
    result = run.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["legal-state-edges was violated on host-002 *", "*timeline of host-002*", ">>> *"]
    )
    run.makepyfile(body.format(more=", invariants=False"))
    run.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=1)


def test_a_lab_that_does_not_come_up_is_told_and_kept(run: pytest.Pytester) -> None:
    run.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.beskar7(clock="virtual", hosts=2, managers=0, enrol=True)
        def test_nobody_enrols(lab):
            pass
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "the lab of test_mine.py::test_nobody_enrols: after 1m: not: host-001 is Available *",
            "  not: host-002 is Available and nobody's: it is without a state, nobody's",
            "managers: none; leader: nobody",
            "*test_mine.py__test_nobody_enrols: report.html, *",
        ]
    )


@pytest.mark.parametrize(("keep", "kept"), [("all", True), ("none", False)])
def test_what_is_kept_is_the_options_to_say(run: pytest.Pytester, keep: str, kept: bool) -> None:
    run.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.beskar7(clock="virtual", hosts=1)
        @pytest.mark.parametrize("good", [True, False])
        def test_it(lab, good):
            assert good
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS, f"--beskar7-keep={keep}", "--beskar7-artefacts=a")
    result.assert_outcomes(passed=1, failed=1)
    names = {path.name for path in (run.path / "a").glob("*")}
    wanted = {"test_mine.py__test_it[True]", "test_mine.py__test_it[False]"}
    assert names == (wanted if kept else set())


def test_githubs_step_summary_is_a_table(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run.makepyfile(
        test_mine=FAILING
        + """
@pytest.mark.beskar7(hosts=1, clock="virtual", seed=2)
def test_good(lab):
    pass

def test_without_a_lab():
    pass
"""
    )
    run.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=2, failed=1)
    lines = summary.read_text().splitlines()
    assert lines[0] == "before"
    assert re.fullmatch(r"### Beskar7: 2 tests in labs, 1 not passed, \d+ s", lines[1])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[5:]]
    assert [row[:2] for row in rows] == [
        ["`test_mine.py::test_three_on_two_hosts`", "**failed**"],
        ["`test_mine.py::test_good`", "passed"],
    ]
    assert [row[3:5] for row in rows] == [["virtual", "8"], ["virtual", "2"]]
    assert "test_three_on_two_hosts" in rows[0][5]
    assert rows[1][5] == ""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    result = run.runpytest_inprocess(*ARGUMENTS, "-k", "good")
    result.assert_outcomes(passed=1)


def test_logs_that_cannot_be_kept_do_not_hide_the_failure(run: pytest.Pytester) -> None:
    run.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.beskar7(clock="virtual", hosts=1)
        def test_it(lab, request):
            (request.config.rootpath / "beskar7-artefacts").write_text("in the way")
            assert lab.machines() == "the cause"
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*the cause*", "*beskar7-artefacts: cannot keep the lab's logs: *"]
    )


@pytest.mark.parametrize(
    ("mark", "fixture", "options", "begun"),
    [
        ("hosts=2", "lab", (), True),
        ("hosts=2, clock='live'", "kube", (), True),
        ("hosts=2", "virtual_lab", (), False),
        ("clock='virtual'", "lab", (), False),
        ("hosts=2", "lab", ("--collect-only",), False),
        ("hosts=2", "lab", ("-k", "another"), False),
    ],
)
def test_imports_of_processes_begin_when_a_lab_of_processes_is_wanted(
    run: pytest.Pytester, mark: str, fixture: str, options: tuple[str, ...], begun: bool
) -> None:
    run.makeconftest(
        """
        from emulator.forking import client

        client.prepare = lambda: print("imports begin")
        """
    )
    run.makepyfile(
        f"""
        import pytest

        @pytest.mark.beskar7(clock="live")
        class TestOf:
            @pytest.mark.skip
            @pytest.mark.beskar7({mark})
            def test_one(self, {fixture}):
                pass

        def test_another():
            pass
        """
    )
    result = run.runpytest_inprocess(*ARGUMENTS, *options, "-s")
    assert ("imports begin" in output(result)) is begun
