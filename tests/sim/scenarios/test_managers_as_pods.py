"""The managers as pods of their Deployment, in virtual time: what kubectl can do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, LEASE
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.redfish.sushy_bmc import agent
from emulator.kube.workloads.objects import DEPLOYMENT, POD, REPLICA_SET, holds, status
from scenarios.engine import trial
from scenarios.engine.expand import machine
from scenarios.engine.loader import loads
from scenarios.engine.managerlives import pod_lives
from scenarios.engine.virtual import VirtualWorld, run_virtual

T = TypeVar("T")

WORLD = """
name: pods
world:
  hosts: {count: 3}
  managers:
    replicas: %d
    deployed: true
    args:
      leader-elect-lease-duration: 4s
      leader-elect-renew-deadline: 3s
      leader-elect-retry-period: 1s
load: {machines: %d}
"""


class Operator:
    """What a person with kubectl does."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.kube = world.kube

    def pods(self) -> dict[str, dict[str, Any]]:
        return {pod["metadata"]["name"]: pod for pod in self.kube.list(POD, NAMESPACE).items}

    def container(self, pod: str) -> dict[str, Any]:
        found: dict[str, Any] = status(self.pods()[pod])["containerStatuses"][0]
        return found

    def deployment(self) -> dict[str, Any]:
        return self.kube.get(DEPLOYMENT, NAMESPACE, NAME)

    def patch(self, spec: dict[str, Any]) -> None:
        self.kube.patch(DEPLOYMENT, NAMESPACE, NAME, {"spec": spec})

    def args(self, *args: str) -> None:
        pod = self.deployment()["spec"]["template"]["spec"]
        pod["containers"][0]["args"] += args
        self.patch({"template": {"spec": pod}})

    def limit(self, **limits: str) -> None:
        pod = self.deployment()["spec"]["template"]["spec"]
        pod["containers"][0]["resources"]["limits"].update(limits)
        self.patch({"template": {"spec": pod}})

    def restart(self, at: str = "2026-01-01T00:01:00Z") -> None:
        note = {"kubectl.kubernetes.io/restartedAt": at}
        self.patch({"template": {"metadata": {"annotations": note}}})

    def leader(self) -> str:
        spec = self.kube.get(LEASE, NAMESPACE, NAME)["spec"]
        return str(spec.get("holderIdentity") or "")

    def until(self, done: Callable[[], bool], seconds: float = 120.0) -> float:
        began = self.world.runtime.now()
        while not done():
            if self.world.runtime.now() > began + seconds:
                pods = {name: status(pod) for name, pod in self.pods().items()}
                pytest.fail(f"not within {seconds:g} s: {pods}")
            self.world.runtime.sleep(0.25)
        return self.world.runtime.now() - began

    def rolled(self) -> bool:
        now, wanted = self.deployment(), self.deployment()["spec"]["replicas"]
        said = status(now)
        return (
            said.get("observedGeneration") == now["metadata"]["generation"]
            and len(self.pods()) == said.get("replicas", 0) == wanted
            and said.get("updatedReplicas", 0) == said.get("readyReplicas", 0) == wanted
        )


@pytest.fixture
def as_operator() -> Callable[..., Any]:
    def run(body: Callable[[Operator], T], *, replicas: int = 2, seed: int = 5) -> T:
        def main(world: Any) -> T:
            try:
                world.start()
                return body(Operator(world))
            finally:
                world.stop()

        return run_virtual(loads(WORLD % (replicas, 0)), seed, main)

    return run


def test_a_world_starts_with_a_complete_deployment(as_operator):
    def body(operator):
        said = status(operator.deployment())
        assert (said["readyReplicas"], said["availableReplicas"]) == (2, 2)
        assert len(operator.kube.list(REPLICA_SET, NAMESPACE).items) == 1
        assert all(holds(pod, "Ready") for pod in operator.pods().values())
        assert dict(operator.world.managers()) == dict.fromkeys(operator.pods(), True)
        assert operator.leader() in operator.pods()

    as_operator(body)


def test_scaling_starts_and_ends_managers(as_operator):
    def body(operator):
        operator.patch({"replicas": 4})
        operator.until(operator.rolled)
        assert len(operator.pods()) == 4
        operator.patch({"replicas": 0})
        took = operator.until(operator.rolled)
        assert took < 10.0, "a manager that is asked to end does so well within its grace"
        assert operator.leader() == "", "who ends in peace lets go of the lease"
        assert not any(alive for _, alive in operator.world.managers())

    as_operator(body)


def test_a_deleted_pod_is_replaced(as_operator):
    def body(operator):
        gone = operator.leader()
        operator.kube.delete(POD, NAMESPACE, gone)
        operator.until(lambda: gone not in operator.pods() and operator.rolled())
        assert len(operator.pods()) == 2
        operator.until(lambda: operator.leader() in operator.pods())

    as_operator(body)


@pytest.mark.parametrize("unavailable", [0, 1])
def test_a_restart_rolls_within_its_bounds(as_operator, unavailable):
    def body(operator):
        surge = 1 - unavailable
        rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
        operator.patch({"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}})
        before = set(operator.pods())
        operator.restart()
        ready: list[int] = []
        total: list[int] = []

        def rolled() -> bool:
            pods = operator.pods().values()
            going = [pod for pod in pods if "deletionTimestamp" in pod["metadata"]]
            ready.append(sum(holds(pod, "Ready") for pod in pods if pod not in going))
            total.append(len(pods) - len(going))
            return operator.rolled() and before.isdisjoint(operator.pods())

        operator.until(rolled)
        assert min(ready) >= 3 - unavailable
        assert max(total) <= 3 + surge
        assert max(total) == 3 + surge or min(ready) == 3 - unavailable

    as_operator(body, replicas=3)


def test_flags_of_the_template_are_the_managers(as_operator):
    def body(operator):
        operator.args("--max-concurrent-reconciles=7")
        operator.until(operator.rolled)
        for _, manager in operator.world.living():
            assert manager.configuration.tuning.max_concurrent_reconciles == 7

    as_operator(body)


def test_a_bad_flag_crash_loops_and_the_old_managers_stay(as_operator):
    def body(operator):
        old = set(operator.pods())
        operator.args("--max-concurrent-reconcile=7")

        def looping() -> bool:
            new = [name for name in operator.pods() if name not in old]
            waiting = [operator.container(name)["state"].get("waiting", {}) for name in new]
            return any(each.get("reason") == "CrashLoopBackOff" for each in waiting)

        operator.until(looping)
        new = next(name for name in operator.pods() if name not in old)
        operator.until(lambda: operator.container(new)["restartCount"] >= 2)
        ended = operator.container(new)["lastState"]["terminated"]
        assert ended["exitCode"] == 2
        assert "--max-concurrent-reconcile=7" in ended["message"]
        said = operator.world.cluster().logs(600.0)[new]
        assert any("unrecognized arguments: --max-concurrent-reconcile=7" in line for line in said)
        assert operator.leader() in old

    as_operator(body)


def test_a_killed_manager_comes_back_as_another(as_operator):
    def body(operator):
        killed = operator.world.kill_manager("leader")
        operator.until(lambda: dict(operator.world.managers()).get(f"{killed}_1", False))
        assert operator.container(killed)["restartCount"] == 1
        assert operator.container(killed)["lastState"]["terminated"]["exitCode"] == 137
        assert dict(operator.world.managers())[killed] is False
        took = operator.until(lambda: operator.leader() not in ("", killed))
        assert took > 1.0, "the dead manager's lease has to run out"

    as_operator(body)


def test_a_manager_that_does_not_end_is_killed_when_its_grace_is_over(as_operator):
    def body(operator):
        pod = operator.deployment()["spec"]["template"]["spec"]
        operator.patch({"template": {"spec": {**pod, "terminationGracePeriodSeconds": 1}}})
        operator.until(operator.rolled)
        # Whose API does not answer cannot let go of its lease, and waits for that.
        operator.world.add_fault(
            {
                "id": "deaf",
                "target": "api",
                "kind": "hang",
                "start": 0.0,
                "duration": None,
                "select": {"clients": ["beskar7-manager/*"]},
            }
        )
        gone = operator.leader()
        operator.world.runtime.sleep(0.5)
        operator.kube.delete(POD, NAMESPACE, gone)
        took = operator.until(lambda: gone not in operator.pods())
        assert 0.9 <= took <= 1.6

    as_operator(body)


def test_a_pod_with_another_image_says_why_it_does_not_run(as_operator):
    def body(operator):
        pod = operator.deployment()["spec"]["template"]["spec"]
        pod["containers"][0]["image"] = "registry.example/other:1"
        operator.patch({"template": {"spec": pod}})

        def refused() -> list[str]:
            states = [operator.container(name)["state"] for name in operator.pods()]
            return [each.get("waiting", {}).get("reason", "") for each in states]

        operator.until(lambda: "ErrImagePull" in refused() or "ImagePullBackOff" in refused())

    as_operator(body)


def test_logs_say_what_each_manager_said_and_when(as_operator):
    def body(operator):
        cluster = operator.world.cluster()
        logs = cluster.logs(600.0)
        assert set(logs) == set(operator.pods())
        leader = operator.leader()
        assert any(f"{leader} started leading" in line for line in logs[leader])
        other = next(name for name in logs if name != leader)
        assert not any("started leading" in line for line in logs[other])
        assert all(line.startswith("2026-01-01T00:00:0") for line in logs[leader])
        operator.world.runtime.sleep(30.0)
        assert not any("started leading" in line for line in cluster.logs(10.0)[leader])
        operator.kube.delete(POD, NAMESPACE, other)
        operator.until(lambda: other not in operator.pods())
        assert other not in cluster.logs(600.0)

    as_operator(body)


def test_a_cluster_tells_metrics_usage_and_profiles_by_pod(as_operator):
    def body(operator):
        cluster = operator.world.cluster()
        pods = set(operator.pods())
        assert set(cluster.metrics()) == set(cluster.usage()) == set(cluster.profiles()) == pods
        leader = operator.leader()
        line = f'beskar7_leader{{identity="{leader}"}} 1.0'
        assert line in cluster.metrics()[leader].splitlines()
        assert cluster.usage()[leader].memory > 50 * 2**20
        assert cluster.profiles()[leader].tasks["bmc-worker"] >= 1
        assert any(
            "PhysicalHost" in name or "Cache" in name for name in cluster.profiles()[leader].heap
        )
        with pytest.raises(NotFound):
            cluster.kube.get(POD, NAMESPACE, "nobody")

    as_operator(body)


LEAK = {
    "id": "leak",
    "target": "api",
    "kind": "memory-leak",
    "rate": 8,
    "start": 0.0,
    "duration": None,
    "select": {"clients": ["beskar7-manager/*"]},
}


def test_a_leak_ends_at_the_limit_and_the_pod_begins_anew(as_operator):
    def body(operator):
        operator.limit(memory="128Mi")
        operator.until(operator.rolled)
        usage = operator.world.cluster().usage
        pod = sorted(operator.pods())[0]
        before = usage()[pod].memory
        began = operator.world.runtime.now()
        operator.world.add_fault(LEAK)
        operator.world.runtime.sleep(4.0)
        assert usage()[pod].memory - before == pytest.approx(32 * 2**20, rel=0.1)
        operator.until(lambda: operator.container(pod)["restartCount"] == 1)
        room = (128 * 2**20 - before) / (8 * 2**20)
        assert operator.world.runtime.now() - began == pytest.approx(room, abs=1.0)
        ended = operator.container(pod)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
        operator.until(lambda: pod in usage())
        assert usage()[pod].memory < 100 * 2**20, "a new process has not lost anything yet"
        operator.world.clear_faults("leak")
        left = usage()[pod].memory
        operator.world.runtime.sleep(60.0)
        assert usage()[pod].memory == pytest.approx(left, rel=0.02), "what is lost stays lost"

    as_operator(body)


def test_a_leak_of_one_pod_is_not_the_others(as_operator):
    def body(operator):
        first, second = sorted(operator.pods())
        select = {"clients": [f"beskar7-manager/{first}"]}
        operator.world.add_fault({**LEAK, "select": select})
        operator.world.runtime.sleep(5.0)
        usage = operator.world.cluster().usage()
        assert usage[first].memory > usage[second].memory + 30 * 2**20

    as_operator(body)


def test_a_manager_with_too_little_memory_never_gets_ready(as_operator):
    def body(operator):
        operator.limit(memory="48Mi")

        def looping() -> bool:
            ends = [status(pod)["containerStatuses"][0] for pod in operator.pods().values()]
            return any(
                each["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
                and each["lastState"]["terminated"]["reason"] == "OOMKilled"
                for each in ends
            )

        operator.until(looping)

    as_operator(body)


def test_with_a_share_of_a_core_calls_take_longer(as_operator):
    def body(operator):
        def slowest() -> float:
            """Seconds of the slowest call among those that the leader has begun until now."""
            client = agent(operator.leader())
            calls = [call for call in operator.world.calls if call.client == client]
            return max(call.end - call.start for call in calls)

        alone = slowest()
        operator.limit(cpu="50m")
        operator.until(operator.rolled)
        operator.until(lambda: operator.leader() in operator.pods())
        operator.kube.create(BESKAR7_MACHINE, machine(operator.world._scenario.load, 1))
        operator.world.runtime.sleep(10.0)
        # 2 ms of work take 40 at a twentieth of a core, and several calls wait for each other.
        assert alone < 0.02
        assert 0.04 < slowest() < 10.0
        assert operator.world.cluster().usage()[operator.leader()].cores <= 0.05

    as_operator(body)


def test_a_leak_needs_pods():
    text = WORLD % (1, 1) + (
        "faults:\n  - {id: leak, target: api, kind: memory-leak, rate: 8, duration: 5s}\n"
    )
    assert loads(text).faults[0]["rate"] == 8
    with pytest.raises(Exception, match="a leak is of a pod; set world"):
        loads(text.replace("deployed: true", "deployed: false"))


def test_the_lives_of_managers_are_told_by_their_pods(as_operator):
    def body(operator):
        first, second = sorted(operator.pods())
        operator.world._managers[first][0].kill()
        operator.until(lambda: operator.container(first)["restartCount"] == 1)
        operator.kube.delete(POD, NAMESPACE, second)
        operator.until(lambda: second not in operator.pods() and operator.rolled())
        third = next(name for name in operator.pods() if name != first)
        operator.world.store.delete(POD, NAMESPACE, third, grace=0)
        operator.until(lambda: third not in operator.pods() and operator.rolled())
        lives = {life.identity: life for life in pod_lives(operator.world.writes(0)[0])}
        fourth = next(name for name in operator.pods() if name != first)
        assert list(lives) == [*sorted(lives, key=lambda name: lives[name].start)]
        assert {name: (life.end is not None, life.code) for name, life in lives.items()} == {
            first: (True, 137),
            f"{first}_1": (False, 0),
            second: (True, 0),
            third: (True, 137),
            fourth: (False, 0),
        }
        assert lives[first].end <= lives[f"{first}_1"].start

    as_operator(body)


def test_who_let_go_and_who_failed_are_told_apart():
    text = WORLD % (2, 3)

    def measures(change: Callable[[Operator], object]) -> dict[str, Any]:
        def prepare(world: VirtualWorld) -> None:
            world.runtime.timer(8.0, change, Operator(world), name="operator")

        acts = "acts:\n  - {at: 15s, create_machines: {count: 1}}\n"
        result = trial.play(loads(text + acts), 11, prepare=prepare)
        assert result.passed, result.verdict()
        return result.metrics

    let_go = measures(lambda operator: operator.kube.delete(POD, NAMESPACE, operator.leader()))
    assert (let_go["managers_failed"], let_go["failover_seconds.count"]) == (0, 0)
    assert let_go["handover_seconds.count"] == 1
    assert let_go["handover_seconds.max"] < 3.0
    killed = measures(lambda operator: operator.world.kill_manager("leader"))
    assert (killed["managers_failed"], killed["failover_seconds.count"]) == (1, 1)
    assert killed["managers_killed"] == 0, "no act did it"
    assert killed["handover_seconds.count"] == 0
    assert 3.0 < killed["failover_seconds.max"] < 6.5


def test_managers_whose_flags_change_are_judged_by_what_they_do():
    """Claims are counted otherwise by who hands them over, whatever the scenario's flags say."""
    flag = "--enable-claim-coordinator-leader-election"
    text = WORLD % (2, 0) + (
        "acts:\n  - at: 1s\n    kubectl: >-\n"
        "      patch deployment beskar7-controller-manager -n beskar7-system --type=json -p "
        '\'[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", '
        f'"value": "{flag}"}}]\'\n'
        "  - {at: 1s, kubectl: rollout status deployment/beskar7-controller-manager "
        "-n beskar7-system}\n"
        "  - {at: 1s, create_machines: {count: 3}}\n"
    )
    result = trial.play(loads(text), 11)
    assert result.passed, result.verdict()
    aftermath = result.evidence.aftermath
    assert aftermath is not None
    assert {life.hands_over for life in aftermath.look.lives.values() if life.alive} == {True}
    cases = {each.name: each.cases for each in result.invariants}
    assert cases["counters-agree"] > 0


def test_a_seed_gives_one_run_with_its_rollout():
    text = WORLD % (2, 3) + "acts:\n  - {when: {provisioned: 1}, kill_manager: {}}\n"
    runs = [trial.play(loads(text), 11) for _ in range(2)]
    assert runs[0].passed, runs[0].verdict()
    assert runs[0].evidence.trace_hash == runs[1].evidence.trace_hash


def test_a_restart_is_none_of_the_acts_business():
    text = WORLD % (2, 3) + "acts:\n  - {at: 1s, kill_manager: {restart: 2s}}\n"
    with pytest.raises(Exception, match="the kubelet starts it again by itself"):
        loads(text)
