"""What log lines and Events tell of one machine, each as an entry of its story."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey, parse_rfc3339
from beskar7.api.objects import Object
from beskar7.operations.loglines import LogLine

CREATED, DELETED = "created", "deleted"
HANDED_OVER, SELECTING, CONFLICT, CLAIMED = "handed-over", "selecting", "conflict", "claimed"
STATE, OPERATION, FAILED_OPERATION = "state", "operation", "operation-failed"
COOLDOWN, BOOTED, READY, RELEASED = "cooldown", "booted", "ready", "released"
RETRY, LEADER, FAILURE, OTHER = "retry", "leader", "failure", "other"
"""Kinds of entries."""

_NAME = r"(?P<host>[^\s/:]+/[^\s:]+)"
_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (HANDED_OVER, re.compile(r"machine \S+ hands its claim over")),
    (SELECTING, re.compile(rf"selecting host {_NAME} for machine (?P<machine>\S+)")),
    (CLAIMED, re.compile(rf"claimed host {_NAME} for machine (?P<machine>\S+)")),
    (
        CONFLICT,
        re.compile(
            rf"optimistic lock conflict \(.*\) on host {_NAME} for machine (?P<machine>.+?): .*"
        ),
    ),
    (
        OPERATION,
        re.compile(
            rf"BMC operation (?P<word>[\w-]+) on {_NAME}: (?P<outcome>\w+) "
            r"in (?P<seconds>[\d.]+)s.*"
        ),
    ),
    (FAILED_OPERATION, re.compile(rf"BMC operation (?P<word>[\w-]+) on {_NAME} failed: .*")),
    (COOLDOWN, re.compile(rf"BMC cooldown: {_NAME}: .*")),
    (BOOTED, re.compile(rf"host {_NAME} is provisioned with .*")),
    (READY, re.compile(rf"machine (?P<machine>\S+) is provisioned on host {_NAME}")),
    (RELEASED, re.compile(rf"released host {_NAME} of machine (?P<machine>[^\s,]+).*")),
    (RELEASED, re.compile(rf"released host {_NAME}: its machine (?P<machine>\S+) is gone")),
    (STATE, re.compile(rf"host {_NAME}: (?P<before>\w+) -> (?P<word>\w+)")),
    (RETRY, re.compile(r"[\w-]+ \S+: (?:failed, )?again in (?P<seconds>[\d.]+) s.*")),
    (RETRY, re.compile(rf"host {_NAME}: .*; next try in (?P<seconds>[\d.]+)s")),
)
_LEADS = re.compile(r"lease (?P<lease>\S+): (?P<who>\S+) (?P<word>started|stopped) leading")
_REASONS = {
    "Claimed": CLAIMED,
    "ClaimConflict": CONFLICT,
    "Released": RELEASED,
    "BMCCooldown": COOLDOWN,
    "ProvisioningFailed": FAILURE,
    "LeaderElected": LEADER,
}
_HOST_IN_EVENT = re.compile(r"(?:Claimed host|Host) (\S+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    ``at`` is UTC seconds, to the microsecond if ``exact``, else whole ones; ``seconds`` is how
    long what ended there took, or how long is waited from there on (a retry). ``word`` is an
    operation's kind or a state; ``count`` how often the same was said until ``until``.
    """

    at: float
    exact: bool
    source: str
    kind: str
    text: str
    host: str = ""
    word: str = ""
    outcome: str = ""
    seconds: float = 0.0
    count: int = 1
    until: float = 0.0
    warning: bool = False

    @property
    def began(self) -> float:
        """When what ended with this entry began."""
        return self.at - self.seconds if self.kind == OPERATION else self.at


@dataclass(frozen=True, slots=True)
class Whose:
    """Which machine. ``uid`` empty: it is not known, and its name has to do."""

    key: ObjectKey
    uid: str = ""


def lines_about(whose: Whose, lines: Iterable[LogLine]) -> list[LogLine]:
    """The records whose fields name this machine: never by a part of a name, nor by a text.

    A record with the claim of another bearer of the name is that one's.
    """
    name = str(whose.key)
    found = []
    for line in lines:
        claim = line.about.get("claim", "")
        named = line.about.get("machine") == name
        if claim == whose.uid if whose.uid and claim else named:
            found.append(line)
    return found


def last_uid(key: ObjectKey, lines: Iterable[LogLine]) -> str:
    """The uid of whom the newest records of this name speak; empty if none says."""
    name = str(key)
    uid = ""
    for line in lines:
        if line.about.get("machine") == name and line.about.get("claim"):
            uid = line.about["claim"]
    return uid


def from_line(line: LogLine) -> Entry:
    """The entry of a record that :func:`lines_about` has found."""
    warning = line.level in ("warning", "error", "critical")
    source = f"log {line.manager}" if line.manager else "log"
    for kind, pattern in _LINES:
        match = pattern.fullmatch(line.message)
        if match is None:
            continue
        found = match.groupdict()
        outcome = found.get("outcome") or ""
        return Entry(
            line.at,
            True,
            source,
            kind,
            line.message,
            host=found.get("host") or line.about.get("host", ""),
            word=found.get("word") or "",
            outcome=outcome,
            seconds=float(found.get("seconds") or 0.0),
            warning=warning or kind == CONFLICT or found.get("word") == "Error",
        )
    return Entry(
        line.at, True, source, OTHER, line.message, line.about.get("host", ""), warning=warning
    )


def leaders(lines: Iterable[LogLine], lease_names: Sequence[str]) -> list[Entry]:
    """Terms of leadership that began or ended, as the managers told it."""
    found = []
    for line in lines:
        match = _LEADS.fullmatch(line.message)
        if match is not None and match["lease"] in lease_names:
            text = f"{match['who']} {match['word']} leading ({match['lease']})"
            found.append(Entry(line.at, True, f"log {line.manager}", LEADER, text))
    return found


def events_about(whose: Whose, events: Iterable[Object]) -> list[Entry]:
    """A machine's own Events: of this object, not of another kind, nor of a former bearer."""
    found = []
    for event in events:
        about = event.get("involvedObject") or {}
        uid = str(about.get("uid") or "")
        if about.get("kind") != BESKAR7_MACHINE.kind or about.get("name") != whose.key.name:
            continue
        if whose.uid and uid and uid != whose.uid:
            continue
        entry = from_event(event)
        if entry is None:
            continue
        named = _HOST_IN_EVENT.match(entry.text.partition(": ")[2])
        host = str(ObjectKey(whose.key.namespace, named[1])) if named else ""
        kind = READY if event.get("reason") == "Provisioned" else entry.kind
        found.append(replace(entry, kind=kind, host=host))
    return found


def events_of_host(
    machine: ObjectKey,
    host: ObjectKey,
    owned: Sequence[tuple[float, float]],
    events: Iterable[Object],
) -> list[Entry]:
    """A host's Events from the times in which the machine owned it.

    ``owned``: from, until. Events have whole seconds, so a second more on either side; but one
    that names another machine is never this one's.
    """
    found = []
    for event in events:
        about = event.get("involvedObject") or {}
        if about.get("kind") != PHYSICAL_HOST.kind or about.get("name") != host.name:
            continue
        entry = from_event(event)
        if entry is None:
            continue
        during = [start for start, end in owned if entry.at < end + 1 and entry.until > start - 1]
        if not during:
            continue
        reason, message = event.get("reason"), str(event.get("message") or "")
        words = [word.strip(",.") for word in message.split()]
        if reason in ("Claimed", "Released") and str(machine) not in words:
            continue
        kind = BOOTED if reason == "Provisioned" else entry.kind
        if entry.at < during[0] - 1:
            # Counted since an earlier owner's time: how often in this one's, nobody knows.
            entry = replace(entry, at=entry.until, count=1)
        found.append(replace(entry, kind=kind, host=str(host)))
    return found


def from_event(event: Object) -> Entry | None:
    """None for an Event without a time that can be read."""
    first = _time(event.get("eventTime") or event.get("firstTimestamp") or "")
    last = _time(event.get("lastTimestamp") or "")
    if first is None:
        first = last
    if first is None:
        return None
    reason = str(event.get("reason") or "")
    message = " ".join(str(event.get("message") or "").split())
    about = event.get("involvedObject") or {}
    return Entry(
        first,
        bool(event.get("eventTime")),
        f"event {about.get('kind', '')}",
        _REASONS.get(reason, OTHER),
        f"{reason}: {message}",
        count=max(1, int(event.get("count") or 1)),
        until=max(first, last or first),
        warning=event.get("type") == "Warning",
    )


def _time(text: object) -> float | None:
    try:
        return parse_rfc3339(str(text))
    except ValueError:
        return None
