"""The API's faults around one in-process client, as a client over HTTP would see them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from beskar7.api.errors import ApiError, ServiceUnavailable
from beskar7.api.kinds import Kind
from beskar7.runtime import Runtime
from emulator.kube.faults.faults import ApiFaults, Effect, Follower
from emulator.kube.faults.faultspec import Asked

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that the client waits for an answer; :class:`beskar7.kube.client.KubeClient`'s."""
_NAMELESS = ("list", "watch", "create")


class FaultyCalls:
    """``runtime`` is the client's process; ``client`` its User-Agent."""

    def __init__(
        self, faults: ApiFaults, runtime: Runtime, client: str, patience: float = PATIENCE
    ) -> None:
        self.faults = faults
        self._runtime = runtime
        self._client = client
        self._patience = patience

    def with_patience(self, patience: float) -> FaultyCalls:
        """The same client, that waits for an answer for so many seconds."""
        return FaultyCalls(self.faults, self._runtime, self._client, patience)

    def call(
        self, verb: str, kind: Kind, namespace: str | None, name: str, run: Callable[[float], T]
    ) -> T:
        """``run`` performs the request; it is given the age in seconds of what it shall see.

        It may be called in a task of the world, and after this call has ended.

        Raises ``ServiceUnavailable`` for a connection that is cut or too slow, and what the
        fault says for an error.
        """
        effect = self.faults.on_request(self._asked(verb, kind, namespace, name))
        if effect.delay >= self._patience:
            self._runtime.sleep(self._patience)
            raise self._lost("no answer in time")
        deadline = self._runtime.now() + self._patience
        if effect.delay:
            self._runtime.sleep(effect.delay)
        perform = partial(run, effect.age)
        if effect.there or effect.back:
            perform = partial(self._carry, perform, effect, verb, deadline)
        if effect.fault is None:
            return perform()
        if effect.perform:
            with contextlib.suppress(ApiError):  # that answer is lost as well
                perform()
        if effect.outcome == "error":
            raise effect.fault.refusal()
        if effect.outcome == "loss":
            self._runtime.sleep(max(0.0, deadline - self._runtime.now()))
            raise self._lost("no answer in time")
        if effect.outcome == "hang":
            self._hang(effect)
        raise self._lost("connection reset by peer")

    def _carry(self, perform: Callable[[], T], effect: Effect, verb: str, deadline: float) -> T:
        """Over a slow network, as a task of the world: the call arrives without its client, too."""
        answers: list[T] = []
        refusals: list[ApiError] = []
        arrived = self._runtime.event()

        def travel() -> None:
            self.faults.runtime.sleep(effect.there)
            if given_up and verb == "watch":
                return  # there is nobody to tell of anything
            try:
                answers.append(perform())
            except ApiError as error:
                refusals.append(error)
            self.faults.runtime.sleep(effect.back)
            arrived.set()

        given_up = False
        self.faults.runtime.spawn(travel, name=f"network/{self._client}")
        try:
            if not arrived.wait(max(0.0, deadline - self._runtime.now())):
                raise self._lost("no answer in time")
        finally:
            given_up = not arrived.is_set()
        if refusals:
            raise refusals[0]
        return answers[0]

    def follow(self, kind: Kind, namespace: str | None) -> Follower:
        return self.faults.follow(self._asked("watch", kind, namespace, ""))

    def _hang(self, effect: Effect) -> None:
        """Until the fault ends; raises when the client's patience ends first."""
        assert effect.fault is not None
        changed = self._runtime.event()
        forget = self.faults.subscribe(changed.set)
        deadline = self._runtime.now() + self._patience
        try:
            while self.faults.holds(effect.fault.id):
                now = self._runtime.now()
                if now >= deadline:
                    raise self._lost("no answer in time")
                until = deadline if effect.ends is None else min(deadline, effect.ends)
                changed.clear()
                changed.wait(max(0.0, until - now))
        finally:
            forget()

    def _asked(self, verb: str, kind: Kind, namespace: str | None, name: str) -> Asked:
        at = (namespace or "") if kind.namespaced else ""
        return Asked(self._client, verb, kind.kind, at, "" if verb in _NAMELESS else name)

    def _lost(self, why: str) -> ServiceUnavailable:
        return ServiceUnavailable(f"the lab's API, in process: {why}")
