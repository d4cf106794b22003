"""One machine's life as its owner sees it: asked for, claimed, provisioned, held, given back.

What the installation promises is judged here; what merely happens is an outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from loadtest.api import GROUP_VERSION, Api, ApiError, Unreachable, path
from loadtest.watch import DeadlineExceeded, Event, Follower

MACHINES, HOSTS = "beskar7machines", "physicalhosts"
TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE, SINGLE_OWNER = (
    "time-to-claim",
    "time-to-provisioned",
    "time-to-release",
    "single-owner",
)
MANAGED_BY, AGENT_NAME = "app.kubernetes.io/managed-by", "beskar7-load"
"""The label of all machines of a load test, by which they are found if they are left behind."""
LEFT_BEHIND = "left behind"
"""Outcome: a machine whose user was stopped, and whose deletion could not be asked for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a machine's owner expects, in seconds; all but ``hold`` are counted from the request."""

    namespace: str = "default"
    image_url: str = "http://images.lab/kairos-load.iso"
    claim_timeout: float = 60.0
    provision_timeout: float = 180.0
    release_timeout: float = 60.0
    hold: float = 1.0


class BrokenPromise(Exception):
    """The installation did not do what it promises. ``measure`` is the name it counts under."""

    def __init__(self, measure: str, message: str, seconds: float) -> None:
        super().__init__(message)
        self.measure = measure
        self.seconds = seconds


class Observer(Protocol):
    """Is told what was measured and what happened."""

    def measured(self, name: str, seconds: float, error: BrokenPromise | None = None) -> None: ...
    def outcome(self, name: str) -> None: ...
    def life(self, moment: str) -> None:
        """A life has ``begun``, is ``served`` (Provisioned, or will not be), or is ``over``."""


class HostLedger:
    """Which of our machines says that it owns which host.

    A machine leaves the ledger before its deletion is asked for, so an entry that is met by a
    second machine really is a host with two owners, however late either of them reads.
    """

    def __init__(self) -> None:
        self._owner: dict[str, str] = {}

    def claim(self, host: str, machine: str) -> str | None:
        """Enter ``machine``; the name of another machine that holds ``host``, if one does."""
        other = self._owner.setdefault(host, machine)
        return other if other != machine else None

    def release(self, host: str, machine: str) -> None:
        if self._owner.get(host) == machine:
            del self._owner[host]


class Lifecycle:
    """Runs lives one after the other for one user."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        ledger: HostLedger,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        keep: Callable[[float], object] | None = None,
    ) -> None:
        """``keep`` is called once a machine is Provisioned, with the seconds of ``settings.hold``,
        and its end is when the machine is given back; without it, that is after so many seconds."""
        self._api = api
        self._settings = settings
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._sleep = sleep
        self._keep = keep or sleep

    def run(self, name: str, late: float = 0.0) -> None:
        """One life of the machine ``name``. Broken promises go to the observer, not to the caller.

        ``late``: seconds ago it was to be asked for, from when its times and limits count.

        Raises ApiError or Unreachable when the machine cannot even be asked for.
        """
        self._observer.life("begun")
        life = _Life(name, began=self._clock() - late)
        try:
            self._live(life)
        finally:
            self._served(life)
            self._observer.life("over")

    def _served(self, life: _Life) -> None:
        if not life.served:
            life.served = True
            self._observer.life("served")

    def _live(self, life: _Life) -> None:
        where = path(self._settings.namespace, MACHINES)
        created = self._api.create(where, self._machine(life.name))
        life.uid = _meta(created, "uid")
        follower = Follower(
            self._api,
            self._settings.namespace,
            MACHINES,
            life.name,
            _meta(created, "resourceVersion"),
            on_restart=lambda: self._observer.outcome("watch restarted"),
            clock=self._clock,
            sleep=self._sleep,
        )
        try:
            try:
                try:
                    self._until_provisioned(life, follower)
                finally:
                    self._served(life)
                self._keep(self._settings.hold)
                self._check_owner(life)
            except BrokenPromise as broken:
                self._observer.measured(broken.measure, broken.seconds, broken)
            self._give_back(life, follower)
        except BaseException:
            # The user is being stopped, or the API is gone: no measurement, but leave nothing.
            self._abandon(life)
            raise

    def _machine(self, name: str) -> dict[str, Any]:
        return {
            "apiVersion": GROUP_VERSION,
            "kind": "Beskar7Machine",
            "metadata": {
                "name": name,
                "namespace": self._settings.namespace,
                "labels": {MANAGED_BY: AGENT_NAME},
            },
            "spec": {
                "imageURL": self._settings.image_url,
                "osFamily": "kairos",
                "provisioningMode": "PreBakedISO",
            },
        }

    def _until_provisioned(self, life: _Life, follower: Follower) -> None:
        """Watch until Provisioned. Raises BrokenPromise."""

        def deadline() -> float:
            limits = self._settings
            return life.began + (limits.provision_timeout if life.host else limits.claim_timeout)

        try:
            with closing(follower.events(deadline)) as events:
                for event in events:
                    self._observe(life, event)
                    if life.provisioned:
                        return
        except DeadlineExceeded:
            seconds = self._clock() - life.began
            if life.host:
                text = f"claimed but not Provisioned (phase {life.phase or 'unset'})"
                raise BrokenPromise(TIME_TO_PROVISIONED, text, seconds) from None
            raise BrokenPromise(TIME_TO_CLAIM, "no host claimed", seconds) from None

    def _observe(self, life: _Life, event: Event) -> None:
        """Take in one event of a machine that should be alive. Raises BrokenPromise."""
        seconds = self._clock() - life.began
        stage = TIME_TO_PROVISIONED if life.host else TIME_TO_CLAIM
        if event.type == "DELETED" or _meta(event.object, "uid") != life.uid:
            raise BrokenPromise(stage, "the machine is gone though nobody deleted it", seconds)
        status = event.object.get("status") or {}
        host = str((status.get("hostRef") or {}).get("name") or "")
        life.phase = str(status.get("phase") or "")
        if host != life.host:
            if life.host:
                self._ledger.release(life.host, life.name)
                self._observer.outcome("host given up before Provisioned")
            elif not life.claimed:
                self._observer.measured(TIME_TO_CLAIM, seconds)
            life.claimed = life.claimed or bool(host)
            life.host = host
            other = self._ledger.claim(host, life.name) if host else None
            if other:
                text = f"{host} is owned by {other} and by {life.name}"
                raise BrokenPromise(SINGLE_OWNER, text, seconds)
        if life.phase == "Failed":
            why = status.get("failureMessage") or status.get("failureReason") or "no reason given"
            raise BrokenPromise(stage, f"phase Failed: {why}", seconds)
        if life.phase == "Provisioned" and host:
            self._observer.measured(TIME_TO_PROVISIONED, seconds)
            life.provisioned = True

    def _check_owner(self, life: _Life) -> None:
        """Whether the host itself names this machine as its owner. Raises BrokenPromise."""
        try:
            host = self._api.get(path(self._settings.namespace, HOSTS, life.host))
        except (ApiError, Unreachable):
            self._observer.outcome("owner not checked: host not readable")
            return
        owner = (host.get("spec") or {}).get("consumerRef") or {}
        if owner.get("name") != life.name or owner.get("uid", life.uid) != life.uid:
            said = owner.get("name") or "nobody"
            text = f"{life.host} belongs to {said}, while {life.name} holds it"
            raise BrokenPromise(SINGLE_OWNER, text, self._clock() - life.began)

    def _give_back(self, life: _Life, follower: Follower) -> None:
        """Delete, and watch until the deletion is done."""
        self._ledger.release(life.host, life.name)
        began = self._clock()
        limit = began + self._settings.release_timeout
        try:
            self._delete(life, limit)
            with closing(follower.events(lambda: limit)) as events:
                for event in events:
                    if event.type == "DELETED":
                        break
            # The life of a machine that never had a host says nothing about releases.
            if life.host:
                self._observer.measured(TIME_TO_RELEASE, self._clock() - began)
        except DeadlineExceeded:
            seconds = self._clock() - began
            broken = BrokenPromise(TIME_TO_RELEASE, "deleted but still there", seconds)
            self._observer.measured(TIME_TO_RELEASE, seconds, broken)

    def _delete(self, life: _Life, limit: float) -> None:
        """Ask for the deletion until the server hears it. Raises DeadlineExceeded."""
        while True:
            try:
                self._api.delete(path(self._settings.namespace, MACHINES, life.name))
                return
            except ApiError as error:
                if error.code == 404:
                    return
                if error.code != 429 and error.code < 500:
                    raise
            except Unreachable:
                pass
            self._observer.outcome("deletion asked again")
            if self._clock() >= limit:
                raise DeadlineExceeded
            self._sleep(0.2)

    def _abandon(self, life: _Life) -> None:
        self._ledger.release(life.host, life.name)
        self._observer.outcome("abandoned at the end of the test")
        try:
            self._api.close()
            self._api.delete(path(self._settings.namespace, MACHINES, life.name))
        except (ApiError, Unreachable):
            self._observer.outcome(LEFT_BEHIND)


@dataclass(slots=True)
class _Life:
    """What is known of a machine; ``began`` is when it was asked for."""

    name: str
    began: float
    uid: str = ""
    host: str = ""
    phase: str = ""
    claimed: bool = False
    provisioned: bool = False
    served: bool = False


def _meta(obj: dict[str, Any], key: str) -> str:
    return str((obj.get("metadata") or {}).get(key) or "")
