"""The kubelet's pure parts: environment, command lines, probes, status, back-off, usage."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kube.workloads import images, usage
from emulator.kube.workloads.environment import (
    ConfigurationError,
    arguments,
    expand,
    variables,
)
from emulator.kube.workloads.podstatus import (
    FORGIVEN,
    Backoff,
    ContainerState,
    identity,
    pod_status,
    restarts,
    terminated,
)
from emulator.kube.workloads.probes import Probe, Verdict, target
from emulator.kube.workloads.template import same_template, template_hash

pytestmark = pytest.mark.unit

AT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
POD = {
    "metadata": {
        "name": "web-1",
        "namespace": "default",
        "uid": "u-1",
        "labels": {"app": "web"},
        "annotations": {"note": "n"},
    },
    "spec": {"nodeName": "lab", "containers": [{"name": "manager"}, {"name": "other"}]},
}


def lookup(kind: str, name: str):
    known = {
        ("ConfigMap", "settings"): {"data": {"a": "1", "b": "2"}},
        ("Secret", "login"): {"data": {"word": base64.b64encode(b"open").decode()}},
    }
    return known.get((kind, name))


def env(*given, **container):
    found = {"name": "c", "env": list(given), **container}
    return variables(POD, found, lookup, pod_ip="127.70.0.1", host_ip="127.0.0.1")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['note']", "n"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "lab"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.70.0.1"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_the_downward_api(path, value):
    assert env({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}) == {"X": value}


def test_values_come_from_config_maps_and_secrets():
    key = {"name": "settings", "key": "b"}
    word = {"name": "login", "key": "word"}
    found = env(
        {"name": "B", "valueFrom": {"configMapKeyRef": key}},
        {"name": "WORD", "valueFrom": {"secretKeyRef": word}},
        {"name": "TWICE", "value": "$(B)-$(B)"},
        {
            "name": "MAYBE",
            "valueFrom": {"secretKeyRef": {"name": "no", "key": "x", "optional": True}},
        },
        envFrom=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
    )
    assert found == {"S_a": "1", "S_b": "2", "B": "2", "WORD": "open", "TWICE": "2-2"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"secretKeyRef": {"name": "no", "key": "x"}}, 'secret "no" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "x"}}, "couldn't find key x in ConfigMap"),
        ({"fieldRef": {"fieldPath": "spec.secret"}}, "unsupported fieldPath"),
    ],
)
def test_what_is_missing_is_named(source, said):
    with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
        env({"name": "X", "valueFrom": source})


def test_a_process_is_not_given_what_it_cannot_take():
    with pytest.raises(ConfigurationError, match="cannot be given"):
        env({"name": "X", "value": "a\0b"})
    with pytest.raises(ConfigurationError, match="argument"):
        arguments({"args": ["\0"]}, {})


def test_references_are_expanded_as_in_kubernetes():
    known = {"A": "1"}
    assert expand("$(A) $$(A) $(B) $A $", known) == "1 $(A) $(B) $A $"
    assert arguments({"args": ["--x=$(A)", 5]}, known) == ["--x=1", "5"]


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("beskar7/manager", True),
        ("beskar7/manager:v1.2", True),
        ("docker.io/beskar7/manager:lab", True),
        ("localhost:5000/beskar7/manager", True),
        ("beskar7/manager@sha256:abc", True),
        ("beskar7/manager-debug", False),
        ("evil/beskar7/manager", False),
        ("nginx:1.27", False),
        ("", False),
    ],
)
def test_which_images_the_lab_runs(image, ours):
    assert images.is_manager(image) is ours


def launch(*args, command=(), fixed=True):
    return images.launch(
        {"command": list(command)},
        list(args),
        kubeconfig=Path("/k"),
        identity="web-1",
        pod_ip="127.70.0.1",
        fixed_ports=fixed,
    )


def test_a_manager_listens_at_its_pods_address():
    made = launch("--leader-elect", "--log-level=debug")
    assert made.argv[:4] == (sys.executable, "-m", "beskar7", "manager")
    assert "--kubeconfig=/k" in made.argv
    assert "--identity=web-1" in made.argv
    assert "--metrics-bind-address=127.70.0.1:8080" in made.argv
    assert made.argv[-1] == "--exit-with-stdin"
    assert made.argv[-3:-1] == ("--leader-elect", "--log-level=debug")
    assert (made.metrics, made.probes) == (("127.70.0.1", 8080), ("127.70.0.1", 8081))


def test_bind_addresses_of_the_user_become_those_of_the_pod():
    made = launch("--metrics-bind-address=:9090", "--health-probe-bind-address", "0.0.0.0:8081")
    given = [each for each in made.argv if "bind-address" in each]
    assert given == [
        "--metrics-bind-address=127.70.0.1:9090",
        "--health-probe-bind-address=127.70.0.1:8081",
    ]
    assert launch(fixed=False).metrics == ("127.70.0.1", 0)
    assert launch("--metrics-bind-address=:8080", fixed=False).metrics == ("127.70.0.1", 0)
    assert "--metrics-bind-address=nonsense" in launch("--metrics-bind-address=nonsense").argv


def test_commands_are_those_of_the_image():
    assert launch("--x", command=["/manager", "--y"]).argv[-3:-1] == ("--y", "--x")
    with pytest.raises(images.StartRefused, match='exec: "/bin/sh": executable file not found'):
        launch(command=["/bin/sh", "-c", "true"])


def test_restarts_follow_the_policy():
    for policy, codes in (("Always", (True, True)), ("OnFailure", (False, True))):
        pod = {"spec": {"restartPolicy": policy}}
        assert (restarts(pod, 0), restarts(pod, 1)) == codes
    assert not restarts({"spec": {"restartPolicy": "Never"}}, 1)


def test_back_off_doubles_to_five_minutes_and_is_forgiven():
    backoff = Backoff()
    assert [backoff.wait(1.0) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.wait(FORGIVEN) == 0
    assert backoff.wait(1.0) == 10


def states(*, ready=True):
    running = {"running": {"startedAt": AT}}
    return [
        ContainerState("manager", "beskar7/manager", running, ready=True),
        ContainerState("other", "beskar7/manager", running, ready=ready),
    ]


def test_a_pod_is_ready_when_all_its_containers_are():
    def status(pod, ready, at):
        return pod_status(pod, states(ready=ready), ip="127.70.0.1", host_ip="127.0.0.1", at=at)

    def condition(found, type_):
        return next(each for each in found["conditions"] if each["type"] == type_)

    first = status(POD, False, AT)
    assert first["phase"] == "Running"
    assert condition(first, "Ready")["message"] == "containers with unready status: [other]"
    second = status({**POD, "status": first}, True, LATER)
    assert condition(second, "Ready")["status"] == "True"
    assert condition(second, "Ready")["lastTransitionTime"] == LATER
    assert condition(second, "PodScheduled")["lastTransitionTime"] == AT
    assert second["startTime"] == AT


def test_phases():
    def phase(policy, *found):
        pod = {"metadata": POD["metadata"], "spec": {"restartPolicy": policy}}
        made = [ContainerState(str(n), "i", state) for n, state in enumerate(found)]
        return pod_status(pod, made, ip="", host_ip="", at=AT)["phase"]

    waiting = {"waiting": {"reason": "ContainerCreating"}}
    ended = [{"terminated": terminated(code, AT, AT, "")} for code in (0, 1)]
    assert phase("Always", waiting) == "Pending"
    assert phase("Always", ended[1]) == "Running"
    assert phase("Never", ended[0], ended[0]) == "Succeeded"
    assert phase("Never", ended[0], ended[1]) == "Failed"


def test_an_end_by_a_signal_is_told():
    found = terminated(137, AT, LATER, "process://1")
    assert (found["exitCode"], found["signal"], found["reason"]) == (137, 9, "Error")
    assert terminated(128, AT, AT, "", "no such file")["reason"] == "StartError"


def test_each_life_has_a_name_of_its_own():
    assert [identity(POD, count) for count in range(3)] == ["web-1", "web-1_1", "web-1_2"]


def probe(**fields):
    container = {"readinessProbe": {"httpGet": {"path": "/readyz", "port": "probes"}, **fields}}
    found = Probe.read(container, "Readiness")
    assert found is not None
    return found


def test_a_verdict_turns_after_enough_in_a_row():
    verdict = Verdict(probe(failureThreshold=3, successThreshold=2), healthy=False)
    results = [True, True, False, False, True, False, False, False, True, True]
    turned = [verdict.observe(each) for each in results]
    assert [n for n, each in enumerate(turned) if each] == [1, 7, 9]


def test_ports_are_found_by_name_and_where_they_really_are():
    container = {"ports": [{"name": "probes", "containerPort": 8081}]}
    served = {8081: "http://127.70.0.1:40000"}
    assert target(probe(), container, served) == "http://127.70.0.1:40000"
    assert target(probe(), {}, served) == ""
    assert Probe.read({}, "Liveness") is None
    assert Probe.read({"livenessProbe": {"exec": {"command": ["x"]}}}, "Liveness") is None


def test_a_template_is_the_same_but_for_its_hash():
    one = {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": []}}
    other = {
        "metadata": {"labels": {"a": "1", "pod-template-hash": "x"}, "creationTimestamp": None},
        "spec": {"containers": []},
    }
    assert same_template(one, other)
    assert not same_template(one, {**other, "spec": {"containers": [{}]}})
    assert template_hash(one) == template_hash(dict(reversed(one.items())))
    assert template_hash(one) != template_hash(one, 1)


@given(st.lists(st.tuples(st.floats(0.5, 20), st.floats(0, 5)), min_size=2, max_size=30))
def test_a_rate_is_never_negative_nor_more_than_what_was_used(steps):
    rate, now, used = usage.Rate(), 100.0, 0.0
    most = 0.0
    for wait, more in steps:
        rate.add(now, used)
        now, used = now + wait, used + more
        most = max(most, more / wait)
    assert 0.0 <= rate.cores(now, used) <= most * (1 + 1e-6) + 1e-9


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_usage_of_this_very_process():
    cpu, memory = usage.process_cpu(os.getpid()), usage.process_memory(os.getpid())
    assert cpu is not None
    assert cpu > 0
    assert memory is not None
    assert memory > 5_000_000
    assert usage.process_cpu(2**30) is None
    assert (usage.machine_cpu() or 0) >= cpu
    assert usage.total_memory() > (usage.machine_memory() or 0) > 0
