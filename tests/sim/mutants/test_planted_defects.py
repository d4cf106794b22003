"""Defects are planted where they say and gone afterwards; one is found by the seed on record."""

from __future__ import annotations

import pytest
import yaml
from hunting import found_at
from planting import HERE, Edit, Moved, Mutant, function_at, mutants
from probing import probed

from beskar7.coordination.claimqueue import BASE, Waiting
from beskar7.coordination.requirements import Requirements

pytestmark = pytest.mark.sim

MEETS_ALL = "beskar7.coordination.requirements:Requirements.met"


def test_there_are_at_least_twenty_five_of_them_with_names_and_reasons() -> None:
    known = mutants()
    assert len(known) >= 25
    assert all(mutant.wrong.endswith(".") and mutant.edits for mutant in known.values())


@pytest.mark.parametrize("name", mutants())
def test_a_defect_is_in_the_code_while_it_is_planted_and_no_longer(name: str) -> None:
    mutant = mutants()[name]
    functions = [function_at(edit.target) for edit in mutant.edits]
    before = [function.__code__ for function in functions]
    with mutant.planted():
        planted = [function.__code__ for function in functions]
        assert all(
            a.co_code != b.co_code or a.co_consts != b.co_consts or a.co_names != b.co_names
            for a, b in zip(before, planted, strict=True)
        )
    assert [function.__code__ for function in functions] == before


def test_a_planted_defect_works_on_whoever_holds_the_function() -> None:
    machine = Waiting(None, Requirements(), since=0.0)  # type: ignore[arg-type] # no machine
    held = machine.priority
    assert held(600.0) > BASE + 50
    edit = Edit("beskar7.coordination.claimqueue:Waiting.priority", "BASE + int(age / MINUTE)", "7")
    with Mutant("m", "Wrong.", (edit,)).planted():
        assert held(600.0) == 57
    assert held(600.0) == BASE + 10 + 50


@pytest.mark.parametrize(
    ("target", "old"),
    [
        (MEETS_ALL, "return self.never_was_there()"),
        (MEETS_ALL, "self"),  # more than once
        (MEETS_ALL + "_not", "self"),
        ("beskar7.coordination.requirements:ANY", "self"),
    ],
)
def test_code_that_has_moved_is_said_so(target: str, old: str) -> None:
    with pytest.raises(Moved), Mutant("m", "Wrong.", (Edit(target, old, "pass"),)).planted():
        pass


def test_probes_name_what_a_run_comes_across_and_change_nothing() -> None:
    wanted = Requirements(required_tags=("gpu",))
    known = mutants()
    with probed(known.values()) as reached:
        assert not wanted.simple
        assert reached == set()
        assert wanted.hopeless(()) == ""
        order = Waiting(None, wanted, since=1.0).priority  # type: ignore[arg-type] # no machine
        assert order(1.0) == BASE
    with probed(known.values()) as reached, pytest.raises(AttributeError):
        Waiting(None, wanted, since=1.0).order(1.0)  # type: ignore[arg-type] # no machine
    assert reached == {"claims-served-last-first"}


def test_a_seed_on_record_finds_its_defect_and_holds_without_it() -> None:
    record = yaml.safe_load((HERE / "found.yaml").read_text())
    seed = record[1]["cooldown-from-start"]
    assert found_at("cooldown-from-start", seed).startswith("bmc-cooldown violated")
    with Mutant("m", "Nothing.", ()).planted():
        assert found_at("no-such-defect", seed) == ""
