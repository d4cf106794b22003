"""Hosts in Error, or left by their owner: say why, try at once what is safe, tell what came of it.

The guide takes ``consumerRef`` away and writes a state. Both are the controller's to do: it turns
a host off and empties its drive before it gives it to the next. So this asks the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, POD
from beskar7.api.meta import View, rfc3339
from beskar7.api.objects import Object
from beskar7.api.resources import RETRY_ANNOTATION, PhysicalHost
from beskar7.api.states import HostState
from beskar7.operations import managers
from beskar7.operations.cluster import Cluster
from beskar7.operations.recover.hostcases import (
    HANDS,
    RELEASE,
    RETRY,
    HostCase,
    judge,
    key_of,
    orphaned,
)
from beskar7.operations.recover.journal import RecoveryRefused
from beskar7.operations.recover.procedure import Step
from beskar7.operations.recover.report import Outcome, Report

MAX_HOSTS = 1000
"""At a time: what is remembered of each has to fit into one ConfigMap of a mebibyte."""
LEADER_TIMEOUT = 60.0
"""Seconds; a take-over takes a lease's duration."""
ASK_TIMEOUT = 120.0
SETTLE_TIMEOUT = 1200.0
"""Seconds until a host is of use again: the documented boot timeout, and a third more."""
SETTLED = (HostState.AVAILABLE, HostState.PROVISIONED)
RECOVERED, FAILED, UNDER_WAY, GONE = "recovered", "failed again", "under way", "gone"


class HostRecovery:
    """See :class:`beskar7.operations.recover.procedure.Procedure`.

    ``names``: ``NAME`` or ``NAMESPACE/NAME``; none: every host that is in Error or was left by its
    owner. ``timeout``: seconds until they have to be of use.
    """

    name = "hosts"

    def __init__(
        self, cluster: Cluster, names: Sequence[str] = (), *, timeout: float = SETTLE_TIMEOUT
    ) -> None:
        self._cluster = cluster
        self._kube = cluster.kube
        self._names = names
        self._timeout = timeout
        self._cases: list[HostCase] | None = None

    # --- what there is ------------------------------------------------------------------------

    def find(self) -> list[str]:
        return [f"{case.host}: {case.state}: {case.why}" for case in self._judged()]

    def remember(self) -> dict[str, Any]:
        cases = self._judged()
        kept = [case.to_json() for case in cases[:MAX_HOSTS]]
        return {"cases": kept, "more": len(cases) > MAX_HOSTS}

    def _judged(self) -> list[HostCase]:
        if self._cases is None:
            chosen = self._named() if self._names else self._unwell()
            named = bool(self._names)
            self._cases = [judge(self._cluster, host, named=named) for host in chosen]
        return self._cases

    def _named(self) -> list[PhysicalHost]:
        hosts = self._hosts()
        chosen: dict[str, PhysicalHost] = {}
        for name in self._names:
            found = [host for host in hosts if name in (host.name, str(host.key))]
            if not found:
                raise RecoveryRefused(f"there is no PhysicalHost {name}")
            if len(found) > 1:
                keys = ", ".join(str(host.key) for host in found)
                raise RecoveryRefused(f"PhysicalHost {name} is one of {keys}: name its namespace")
            chosen[str(found[0].key)] = found[0]
        return list(chosen.values())

    def _unwell(self) -> list[PhysicalHost]:
        machines = {View(raw).uid for raw in self._kube.list(BESKAR7_MACHINE).items}
        return [
            host
            for host in self._hosts()
            if host.state is HostState.ERROR
            # What the list lacks may have come since: the API server is asked for that one.
            or (host.consumer_uid not in machines and orphaned(self._cluster, host))
        ]

    def _hosts(self) -> list[PhysicalHost]:
        found = [PhysicalHost(raw) for raw in self._kube.list(PHYSICAL_HOST).items]
        return sorted(found, key=lambda host: str(host.key))

    # --- the steps ----------------------------------------------------------------------------

    def steps(self, saved: dict[str, Any]) -> Sequence[Step]:
        acted = _acted(saved)
        if not acted:
            return []
        names = ", ".join(case.host for case in acted[:10])
        more = f" and {len(acted) - 10} more" if len(acted) > 10 else ""
        return [
            Step(
                "leader",
                "make sure that a manager leads, who is to do it",
                lambda: None,
                lambda _: "" if managers.leaders(self._cluster) else "no manager leads",
                POD,
                self._cluster.namespace,
                LEADER_TIMEOUT,
            ),
            Step(
                "ask",
                f"ask the controller to try at once, or to release, {names}{more}",
                lambda: self._ask(acted),
                lambda _: "",
                POD,
                self._cluster.namespace,
                ASK_TIMEOUT,
            ),
            Step(
                "settle",
                "wait until each is Available or of its former use again, or has failed again",
                lambda: None,
                lambda hosts: _unsettled(acted, hosts),
                PHYSICAL_HOST,
                None,
                self._timeout,
            ),
        ]

    def _ask(self, cases: list[HostCase]) -> None:
        at = rfc3339(self._cluster.runtime.wall())
        for case in cases:
            self._mark(case, at, partial(_needs_asking, case))

    def _mark(
        self, case: HostCase, value: str | None, wanted: Callable[[PhysicalHost], bool]
    ) -> None:
        key = key_of(case.host)
        try:
            host = PhysicalHost(self._kube.get(PHYSICAL_HOST, key.namespace, key.name))
            if wanted(host):
                patch = {"metadata": {"annotations": {RETRY_ANNOTATION: value}}}
                self._kube.patch(PHYSICAL_HOST, key.namespace, key.name, patch)
        except NotFound:
            pass  # it was deleted meanwhile, which settles it

    # --- back ---------------------------------------------------------------------------------

    def undo(self, saved: dict[str, Any]) -> Sequence[Step]:
        acted = _acted(saved)

        def withdraw() -> None:
            for case in acted:
                self._mark(case, None, lambda host: host.retry_asked)

        return [
            Step(
                "withdraw",
                "take back what the controller was asked and has not begun",
                withdraw,
                lambda _: "",
                POD,
                self._cluster.namespace,
                ASK_TIMEOUT,
            )
        ]

    def left(self, saved: dict[str, Any], begun: set[str]) -> list[str]:
        if "ask" not in begun:
            return []
        return [f"annotation {RETRY_ANNOTATION} on hosts whose BMC was not asked yet"]

    def conclude(self, saved: dict[str, Any], report: Report) -> None:
        """What became of each; a host that is in no better state is no success."""
        hosts = {str(host.key): host for host in self._hosts()}
        for told in saved["cases"]:
            case = HostCase(**told)
            acts = case.action in (RETRY, RELEASE)
            outcome, why = _outcome(case, hosts.get(case.host)) if acts else ("", case.why)
            outcome = outcome or ("needs hands" if case.action == HANDS else "nothing to do")
            report.subjects.append({**told, "outcome": outcome, "now": why})
        unwell = {FAILED, UNDER_WAY, "needs hands"}
        if report.outcome is Outcome.DONE and any(
            each["outcome"] in unwell for each in report.subjects
        ):
            report.outcome = Outcome.NOT_REACHED
        if saved["more"]:
            report.advice.append(f"more than {MAX_HOSTS} hosts: run this again for the rest")


def _acted(saved: dict[str, Any]) -> list[HostCase]:
    cases = [HostCase(**told) for told in saved["cases"]]
    return [case for case in cases if case.action in (RETRY, RELEASE)]


def _needs_asking(case: HostCase, host: PhysicalHost) -> bool:
    if case.action == RELEASE:
        return host.consumer_uid == case.owner
    return host.state is HostState.ERROR and not host.retry_asked


def _unsettled(cases: list[HostCase], hosts: list[Object]) -> str:
    found = {str(host.key): host for host in map(PhysicalHost, hosts)}
    left = []
    for case in cases:
        outcome, why = _outcome(case, found.get(case.host))
        if outcome == UNDER_WAY:
            left.append(f"{case.host} ({why})")
    shown = ", ".join(left[:10])
    return f"{len(left)} of {len(cases)} hosts are not settled: {shown}" if left else ""


def _outcome(case: HostCase, host: PhysicalHost | None) -> tuple[str, str]:
    """What became of a host that the controller was asked about, and its state or trouble."""
    if host is None:
        return GONE, "it was deleted"
    state = host.state.value or "None"
    released = case.action == RELEASE and host.consumer_uid == case.owner
    if released or host.retry_asked:
        return UNDER_WAY, state
    if host.consumer_uid not in ("", case.owner):
        return RECOVERED, f"{state}, by now for {host.consumer_key}"
    if host.state is HostState.ERROR:
        return FAILED, str(host.status.get("errorMessage") or state)
    return (RECOVERED if host.state in SETTLED else UNDER_WAY), state
