"""The daily check (facts section 11, row 24), and the watch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from beskar7.cli import main
from beskar7.operations.doctor import daily
from beskar7.operations.doctor.state import StateError, load, locked, save
from beskar7.operations.doctor.watching import watch

pytestmark = pytest.mark.unit

NAME = "https://cluster namespace beskar7-system"
SECRET = "https://hooks.example.com/services/T0/SECRET"


def attempts(success: int, conflict: int) -> str:
    name = "beskar7_host_claim_attempts_total"
    return (
        f"# TYPE {name} counter\n"
        f'{name}{{outcome="success",conflict_reason="none"}} {success}\n'
        f'{name}{{outcome="conflict",conflict_reason="optimistic_lock"}} {conflict}\n'
    )


def test_row_24_rates_are_of_the_time_since_the_last_check(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    first = make.cluster(manager_a=attempts(100, 50))
    day = daily.look(first, NAME, state, 600.0)
    assert "conflicts=50/150 " in day.line
    assert "window=since-the-managers'-start" in day.line
    second = make.cluster(manager_a=attempts(199, 51))
    second.now += 86_400
    day = daily.look(second, NAME, state, 600.0)
    assert "conflicts=1/100 " in day.line
    assert "window=24h" in day.line
    assert not day.diagnosis.has("claim-conflicts-high")
    assert "\n" not in day.line


def test_row_24_a_manager_that_began_anew_counts_from_nothing(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    """By its life, although it has counted further than its former life; or by its counter."""
    state = tmp_path / "state.json"
    daily.look(make.cluster(manager_a=attempts(10, 2)), NAME, state, 600.0)
    again = make.cluster(manager_a=attempts(20, 5))
    again.kube.held = {**again.kube.held}
    pods = [make.pod("manager-a", restarts=1), make.pod("manager-b")]
    again.kube.held[next(kind for kind in again.kube.held if kind.kind == "Pod")] = pods
    assert "conflicts=5/25 " in daily.look(again, NAME, state, 600.0).line
    save(state, NAME, load(state, NAME))  # type: ignore[arg-type] # it is there
    shrunk = make.cluster(manager_a=attempts(3, 1))
    shrunk.kube.held = again.kube.held
    assert "conflicts=1/4 " in daily.look(shrunk, NAME, state, 600.0).line


def test_row_24_two_never_run_at_once(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state.json"
    with locked(state), pytest.raises(StateError, match="another check"), locked(state):
        pass
    with locked(state):
        pass  # it was let go


def test_row_24_the_queue_is_one_number_and_without_managers_zero(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    one = daily.look(make.cluster(), NAME, state, 600.0)
    assert re.search(r" queue=0/50 rejected=0 ", one.line)
    nobody = make.cluster()
    nobody.texts = {}
    assert re.search(r" queue=0/0 ", daily.look(nobody, NAME, state, 600.0).line)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "remove it"),
        ("[]", "remove it"),
        ('{"version": 2}', "version 2"),
        ('{"version": 1, "at": 1, "managers": {"a": [[1]]}}', "remove it"),
        ('{"version": 1, "at": 1, "managers": {}, "cluster": "other"}', "the state of other"),
        ("\x00\x01", "remove it"),
    ],
)
def test_a_state_that_is_none_is_refused_with_its_name(
    text: str, told: str, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    with pytest.raises(StateError, match=told) as refused:
        load(state, NAME)
    assert str(state) in str(refused.value)


def test_a_state_is_for_its_owner(make: SimpleNamespace, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    daily.look(make.cluster(), NAME, state, 600.0)
    assert state.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.read_text())["version"] == 1
    assert load(tmp_path / "none", NAME) is None


@pytest.mark.parametrize("url", ["hooks.example.com/x", "ftp://h/x", "https://:80", "https://h/ x"])
def test_a_webhook_that_is_none_is_refused_without_telling_it(url: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(url + "\n")
    for refused in (
        lambda: daily.webhook_url({}, file),
        lambda: daily.webhook_url({daily.WEBHOOK: url}, None),
    ):
        with pytest.raises(daily.WebhookError, match="not one URL") as error:
            refused()
        assert url not in str(error.value)


def test_a_webhook_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    assert daily.webhook_url({}, None) == ""
    assert daily.webhook_url({daily.WEBHOOK: SECRET}, None) == SECRET
    file = tmp_path / "url"
    file.write_text(f"{SECRET}2\n")
    assert daily.webhook_url({daily.WEBHOOK: SECRET}, file) == f"{SECRET}2"
    with pytest.raises(daily.WebhookError, match="none: No such file"):
        daily.webhook_url({}, tmp_path / "none")


def test_a_message_names_what_is_worse_than_a_notice(make: SimpleNamespace, tmp_path: Path) -> None:
    broken = make.cluster()
    held = {kind: objects for kind, objects in broken.kube.held.items() if kind.kind != "Lease"}
    broken.kube.held = held
    diagnosis = daily.look(broken, NAME, tmp_path / "state", 600.0).diagnosis
    text = daily.message(diagnosis)["text"]
    assert text.splitlines()[0] == "Beskar7 in beskar7-system: critical"
    assert "- critical no-leader: nobody holds the lease" in text
    assert daily.summary(diagnosis).endswith("findings=no-leader")


def test_what_belongs_to_the_daily_check_is_refused_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--log", "x"]) == 2
    assert capsys.readouterr().err == "beskar7: doctor: --log belongs to --daily\n"


def test_a_watch_marks_what_has_changed_and_outlives_the_api(make: SimpleNamespace) -> None:
    cluster = make.cluster(manager_a=attempts(100, 50))
    looks = watch(cluster, 7.0, 600.0)
    first = next(looks)
    assert first.diagnosis is not None
    assert (first.changed, first.gone) == (frozenset(), ())
    assert first.diagnosis.has("claim-conflicts-high")  # since the start
    second = next(looks)
    assert second.diagnosis is not None
    assert second.diagnosis.window == "7s"
    assert second.gone == ("claim-conflicts-high",)
    assert second.changed == {"claims"}
    cluster.kube.down = True
    assert next(looks).trouble == "connection refused"
    cluster.kube.down = False
    leases = next(kind for kind in cluster.kube.held if kind.kind == "Lease")
    cluster.kube.held = {**cluster.kube.held, leases: []}
    last = next(looks)
    assert last.changed == {"leadership", "no-leader"}
    assert last.diagnosis is not None
    assert last.diagnosis.window == "14s"  # since the last look that saw something
