"""Does what takes its time - kubectl's commands, the operations' procedures - beside the runner."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.api.errors import ApiError
from beskar7.operations import recover
from beskar7.operations.cluster import Cluster
from beskar7.operations.recover import RecoveryRefused
from beskar7.runtime import Runtime
from scenarios.engine.rehearsal.kubectl_child import KubectlChild, installed
from scenarios.engine.rehearsal.kubectl_commands import Kubectl
from scenarios.engine.rehearsal.kubectl_play import perform
from scenarios.engine.rehearsal.kubectl_waits import KubectlError
from scenarios.engine.rehearsal.remedies import Recover
from scenarios.engine.world import World, WorldError

LOOK = 0.1
"""Seconds between two looks whether a work is done: no write of the API tells of its end."""


class Work:
    """Something under way in a task of its own. ``error`` says why it failed, once it is done."""

    def __init__(
        self, runtime: Runtime, name: str, run: Callable[[], object], stop: Callable[[], object]
    ) -> None:
        self.done = False
        self.error = ""
        self._stop = stop
        self._run = run
        runtime.spawn(self._body, name=name)

    def _body(self) -> None:
        self.error = "it broke off"  # unless it comes to its end
        try:
            self._run()
            self.error = ""
        except (KubectlError, WorldError) as error:
            self.error = str(error)
        finally:
            self.done = True

    def abandon(self) -> None:
        """End what can be ended; may be called at any time."""
        self._stop()


def _recover(cluster: Cluster, action: Recover) -> None:
    """Raises WorldError, with what was not reached, unless it was done."""
    try:
        match action.procedure:
            case "split-brain":
                report = recover.split_brain(cluster)
            case "queue":
                report = recover.queue(cluster, ops=action.ops, restart=action.restart)
            case "hosts":
                report = recover.hosts(cluster, action.names)
    except (RecoveryRefused, ApiError) as error:
        raise WorldError(str(error)) from None
    if report.exit_code:
        missed = [f"{step.name}: {step.detail}" for step in report.steps if step.detail]
        failed = [f"{each['host']}: {each['outcome']}: {each['now']}" for each in report.subjects]
        raise WorldError("; ".join([report.outcome.value, *missed, *failed]))


def start(world: World, action: Kubectl | Recover) -> Work:
    """Begin it; the world goes on meanwhile."""
    runtime = world.runtime
    if isinstance(action, Recover):
        cluster = world.cluster()
        return Work(runtime, "recover", lambda: _recover(cluster, action), lambda: None)
    program = installed()
    kubeconfig = world.kubeconfig
    if program is None or kubeconfig is None:
        run = lambda: perform(action.command, world.kube, runtime)  # noqa: E731 # two of a kind
        return Work(runtime, "kubectl", run, lambda: None)
    child = KubectlChild(program, kubeconfig, action)
    return Work(runtime, "kubectl", child.run, child.stop)
