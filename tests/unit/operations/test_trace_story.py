"""One machine's story from logs and Events: row 16 of the guide's blocks, and what is beside it."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.meta import ObjectKey, rfc3339, rfc3339_micro
from beskar7.operations import trace_entries as kinds
from beskar7.operations.loglines import LogLine, read_logs
from beskar7.operations.trace_entries import Entry, Whose
from beskar7.operations.trace_story import folded, ownership, story

pytestmark = pytest.mark.unit

T = 1764232000.0
KEY = ObjectKey("default", "worker-01")
OURS = Whose(KEY, "uid-1")


def line(text: str, at: float = T, **about: str) -> LogLine:
    return LogLine(at, "info", "controllers.claims", text, about, "pod-a")


def event(kind: str, name: str, reason: str, message: str, at: float, **more: Any) -> Any:
    last = more.pop("last", at)
    return {
        "involvedObject": {"kind": kind, "name": name, "namespace": "default", **more},
        "reason": reason,
        "message": message,
        "type": "Normal",
        "count": 1,
        "firstTimestamp": rfc3339(at),
        "lastTimestamp": rfc3339(last),
    }


def test_row_16_worker_01_is_not_worker_010() -> None:
    lines = [
        line("claimed host default/a for machine default/worker-010", machine="default/worker-010"),
        line("claimed host default/b for machine default/worker-01", machine="default/worker-01"),
        line("selecting host default/worker-01 for machine default/x", machine="default/x"),
    ]
    assert kinds.lines_about(OURS, lines) == [lines[1]]


def test_row_16_nor_is_it_the_one_of_another_namespace_or_a_former_bearer_of_the_name() -> None:
    lines = [
        line("of another namespace", machine="other/worker-01"),
        line("of a former one", machine="default/worker-01", claim="uid-0"),
        line("by the claim alone", claim="uid-1"),
        line("by the name alone", machine="default/worker-01"),
    ]
    assert kinds.lines_about(OURS, lines) == lines[2:]
    assert kinds.last_uid(KEY, lines[1:]) == "uid-0"


def test_row_16_all_managers_lines_are_read_in_the_order_of_time() -> None:
    about = "[machine=default/worker-01 claim=uid-1]"
    logs = {
        "pod-a": [f"{T + 2:.6f} INFO    x: second {about}"],
        "pod-b": [
            f'{{"ts": "{rfc3339_micro(T + 1)}", "level": "info", "logger": "x", "msg": "first", '
            '"machine": "default/worker-01", "claim": "uid-1"}'
        ],
    }
    found = [kinds.from_line(each) for each in kinds.lines_about(OURS, read_logs(logs))]
    assert [(each.text, each.source) for each in found] == [
        ("first", "log pod-b"),
        ("second", "log pod-a"),
    ]


def test_row_16_events_are_those_of_this_machine_and_no_other_object_of_its_name() -> None:
    events = [
        event(
            "Beskar7Machine", "worker-01", "ClaimConflict", "Host b was taken: x", T, uid="uid-1"
        ),
        event("PhysicalHost", "worker-01", "Claimed", "Claimed by machine default/x", T),
        event("Machine", "worker-01", "Other", "", T),
        event("Beskar7Machine", "worker-01", "Claimed", "Claimed host c", T, uid="uid-0"),
    ]
    (found,) = kinds.events_about(OURS, events)
    assert (found.kind, found.host) == (kinds.CONFLICT, "default/b")


def test_row_16_a_hosts_events_are_of_the_time_in_which_it_was_the_machines() -> None:
    host = ObjectKey("default", "b")
    events = [
        event("PhysicalHost", "b", "BMCCooldown", "before", T - 100),
        event("PhysicalHost", "b", "Released", "Released by machine default/worker-010", T),
        event("PhysicalHost", "b", "Claimed", "Claimed by machine default/worker-01", T + 1),
        event("PhysicalHost", "b", "BMCCooldown", "during", T - 100, last=T + 10),
        event("PhysicalHost", "b", "Released", "Released by machine default/worker-01", T + 50),
        event("PhysicalHost", "b", "Claimed", "Claimed by machine default/worker-010", T + 50),
        event("PhysicalHost", "b", "ProvisioningFailed", "after", T + 100),
    ]
    found = kinds.events_of_host(KEY, host, [(T, T + 50)], events)
    assert [each.text for each in found] == [
        "Claimed: Claimed by machine default/worker-01",
        "BMCCooldown: during",
        "Released: Released by machine default/worker-01",
    ]


def test_an_event_that_counts_since_an_earlier_owners_time_is_told_at_its_last() -> None:
    """A machine of the same name had the host before: its Claimed is the same Event, counted on."""
    told = event("PhysicalHost", "b", "Claimed", "Claimed by machine default/worker-01", T - 100)
    told |= {"lastTimestamp": rfc3339(T), "count": 2}
    (found,) = kinds.events_of_host(KEY, ObjectKey("default", "b"), [(T + 0.3, T + 50)], [told])
    assert (found.at, found.until, found.count) == (T, T, 1)


LINES = [
    ("machine default/m hands its claim over", kinds.HANDED_OVER, "", "", 0.0),
    ("selecting host default/h for machine default/m", kinds.SELECTING, "default/h", "", 0.0),
    ("claimed host default/h for machine default/m", kinds.CLAIMED, "default/h", "", 0.0),
    (
        "optimistic lock conflict (resource version conflict) on host default/h for machine "
        "default/m: the object has been modified (409): try again",
        *(kinds.CONFLICT, "default/h", "", 0.0),
    ),
    (
        "BMC operation provision on default/h: success in 1.250s",
        *(kinds.OPERATION, "default/h", "provision", 1.25),
    ),
    (
        "BMC operation verify on default/h: error in 31.000s (slow)",
        *(kinds.OPERATION, "default/h", "verify", 31.0),
    ),
    (
        "BMC operation provision on default/h failed: no answer: timed out",
        *(kinds.FAILED_OPERATION, "default/h", "provision", 0.0),
    ),
    (
        "BMC cooldown: default/h: BMC 10.0.0.1 rests; provision waits up to 10s",
        *(kinds.COOLDOWN, "default/h", "", 0.0),
    ),
    ("host default/h: Claimed -> Provisioning", kinds.STATE, "default/h", "Provisioning", 0.0),
    ("host default/h: no answer; next try in 5.1s", kinds.RETRY, "default/h", "", 5.1),
    (
        "beskar7machine default/m: again in 0.150 s: default/m: 3 conflicts on 4 candidates",
        *(kinds.RETRY, "", "", 0.15),
    ),
    ("host default/h is provisioned with http://i/x.iso", kinds.BOOTED, "default/h", "", 0.0),
    ("machine default/m is provisioned on host default/h", kinds.READY, "default/h", "", 0.0),
    ("released host default/h of machine default/m", kinds.RELEASED, "default/h", "", 0.0),
    (
        "released host default/h of machine default/m, which is gone",
        *(kinds.RELEASED, "default/h", "", 0.0),
    ),
    (
        "released host default/h: its machine default/m is gone",
        kinds.RELEASED,
        "default/h",
        "",
        0.0,
    ),
    ("anything else", kinds.OTHER, "", "", 0.0),
]


@pytest.mark.parametrize(("text", "kind", "host", "word", "seconds"), LINES)
def test_what_lines_tell(text: str, kind: str, host: str, word: str, seconds: float) -> None:
    found = kinds.from_line(line(text))
    assert (found.kind, found.host, found.word, found.seconds) == (kind, host, word, seconds)


def test_what_a_line_tells_no_event_tells_again() -> None:
    exact = Entry(T + 0.7, True, "log a", kinds.CLAIMED, "claimed", "default/h")
    same = Entry(T, False, "event x", kinds.CLAIMED, "Claimed: h", "default/h", until=T)
    other = Entry(T, False, "event x", kinds.CLAIMED, "Claimed: g", "default/g", until=T)
    assert story([exact, same, other]) == [other, exact]


def test_an_event_that_counts_more_than_the_lines_tell_stays() -> None:
    lines = [Entry(T + n, True, "log a", kinds.CONFLICT, "", "default/h") for n in (0, 1)]
    event = Entry(T, False, "event", kinds.CONFLICT, "", "default/h", count=3, until=T + 5)
    assert event in story([*lines, event])
    assert event not in story(
        [*lines, Entry(T + 4, True, "log b", kinds.CONFLICT, "", "default/h"), event]
    )


def test_without_lines_one_of_two_events_is_enough() -> None:
    machines = Entry(T, False, "event Beskar7Machine", kinds.CLAIMED, "", "default/h", until=T)
    hosts = Entry(T, False, "event PhysicalHost", kinds.CLAIMED, "", "default/h", until=T)
    assert len(story([machines, hosts])) == 1


def test_whose_host_when() -> None:
    entries = [
        Entry(T, True, "log", kinds.CLAIMED, "", "default/a"),
        Entry(T + 1, False, "event", kinds.CLAIMED, "", "default/a", until=T),
        Entry(T + 5, True, "log", kinds.RELEASED, "", "default/a"),
        Entry(T + 6, True, "log", kinds.CLAIMED, "", "default/b"),
    ]
    assert ownership(entries, T + 9) == {
        ObjectKey("default", "a"): [(T, T + 5)],
        ObjectKey("default", "b"): [(T + 6, T + 9)],
    }


def test_polls_are_told_as_one() -> None:
    polls = [
        Entry(
            T + n,
            True,
            "log a",
            kinds.OPERATION,
            f"verify {n}",
            "default/h",
            "verify",
            "success",
            0.5,
        )
        for n in range(3)
    ]
    failed = Entry(T + 3, True, "log a", kinds.OPERATION, "", "default/h", "verify", "error", 0.5)
    first, second = folded([*polls, failed])
    assert (first.count, first.until, first.seconds) == (3, T + 2, 1.5)
    assert second == failed
