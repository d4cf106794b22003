"""kubectl changes what runs: scale, rollout, patches, deletions, and processes that fall."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from emulator.deployed import NAME

pytestmark = pytest.mark.interop

DEPLOYMENT = f"deployment/{NAME}"
STATE = ".status.containerStatuses[0]"


def pid_of(pod) -> int:
    return int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))


def names(kubectl) -> set[str]:
    return {each["metadata"]["name"] for each in kubectl.pods()}


@pytest.fixture
def managers(kubectl):
    kubectl.deploy(1)
    return kubectl


@pytest.mark.every_kubectl
def test_scale_up_down_and_to_nothing(managers):
    managers("scale", DEPLOYMENT, "--replicas=3")
    managers.rolled_out()
    assert len(managers.pods()) == 3
    pids = [pid_of(each) for each in managers.pods()]
    managers("scale", DEPLOYMENT, "--replicas=0")
    managers("wait", "pods", "--all", "--for=delete", "--timeout=30s")
    assert managers("get", DEPLOYMENT, "-o", "jsonpath={.status.replicas}") in ("", "0")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_guides_leader_reset(managers):
    managers("scale", DEPLOYMENT, "--replicas=0")
    managers("wait", "pods", "--all", "--for=delete", "--timeout=30s")
    managers("delete", "lease", NAME, "--ignore-not-found")
    managers("scale", DEPLOYMENT, "--replicas=1")
    managers.rolled_out()
    holder = managers("get", "lease", NAME, "-o", "jsonpath={.spec.holderIdentity}")
    assert names(managers) == {holder}


@pytest.mark.every_kubectl
def test_restart_history_and_undo(managers):
    before = names(managers)
    managers("rollout", "restart", DEPLOYMENT)
    assert "successfully rolled out" in managers.rolled_out()
    after = names(managers)
    assert not before & after
    managers("set", "env", DEPLOYMENT, "COLOUR=blue")
    managers.rolled_out()
    rows = managers("rollout", "history", DEPLOYMENT).splitlines()[2:]
    assert [row.split()[0] for row in rows if row.strip()] == ["1", "2", "3"]
    assert "COLOUR" in managers("rollout", "history", DEPLOYMENT, "--revision=3")
    managers("rollout", "undo", DEPLOYMENT)
    managers.rolled_out()
    path = "jsonpath={.spec.template.spec.containers[0].env[*].name}"
    assert "COLOUR" not in managers("get", DEPLOYMENT, "-o", path)
    if managers.has_exec:
        assert managers("exec", DEPLOYMENT, "--", "sh", "-c", "echo -$COLOUR-") == "--\n"


@pytest.mark.every_kubectl
def test_pause_and_resume(managers):
    managers("rollout", "pause", DEPLOYMENT)
    before = names(managers)
    managers("set", "env", DEPLOYMENT, "COLOUR=red")
    assert names(managers) == before
    managers("rollout", "resume", DEPLOYMENT)
    managers.rolled_out()
    if managers.has_exec:
        assert managers("exec", DEPLOYMENT, "--", "sh", "-c", "echo $COLOUR") == "red\n"


def test_a_flag_that_the_guide_takes_from_elsewhere_crashes_the_pod_as_it_would(managers):
    before = names(managers)
    container = {"name": "manager", "args": ["--no-such-flag=true"]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    managers("patch", DEPLOYMENT, "--patch", json.dumps(patch))
    (bad,) = names(managers) - before
    managers.wait(f"pod/{bad}", f"jsonpath={{{STATE}.state.waiting.reason}}=CrashLoopBackOff")
    assert before <= names(managers), "the update took the pod that worked"
    row = managers("get", "pod", bad, "--no-headers").split()
    assert row[1:4] == ["0/1", "CrashLoopBackOff", "1"]
    said = "unrecognized arguments: --no-such-flag=true"
    assert said in managers("logs", bad)
    assert said in managers("logs", bad, "--previous")
    described = managers("describe", "pod", bad)
    assert "Back-off restarting failed container" in described
    assert "Exit Code:    2" in described
    managers("rollout", "undo", DEPLOYMENT)
    managers.rolled_out()
    assert names(managers) == before


def test_an_image_that_the_lab_does_not_have(managers):
    before = names(managers)
    managers("set", "image", DEPLOYMENT, "manager=nginx:1.27")
    (bad,) = names(managers) - before
    managers.wait(f"pod/{bad}", f"jsonpath={{{STATE}.state.waiting.reason}}=ImagePullBackOff")
    said = managers("describe", "pod", bad)
    assert "ErrImagePull" in said
    assert "the lab has no registry; it runs beskar7/manager" in said
    assert "waiting to start: ImagePullBackOff" in managers.run("logs", bad).stderr
    assert before <= names(managers)


def test_a_deleted_pod_is_replaced_and_its_process_ends(managers):
    (pod,) = managers.pods()
    name = pod["metadata"]["name"]
    assert "deleted" in managers("delete", "pod", name)
    managers.rolled_out()
    assert name not in names(managers)
    assert not Path(f"/proc/{pid_of(pod)}").exists()
    events = managers("events", "--for", f"pod/{name}")
    assert "Stopping container manager" in events


def test_a_hung_process_is_killed_when_its_grace_is_over(managers):
    (pod,) = managers.pods()
    os.kill(pid_of(pod), signal.SIGSTOP)  # hears no SIGTERM
    managers("delete", "pod", pod["metadata"]["name"], "--grace-period=1")
    assert not Path(f"/proc/{pid_of(pod)}").exists()
    managers.rolled_out()


def test_a_pod_deleted_by_force_goes_at_once(managers):
    (pod,) = managers.pods()
    os.kill(pid_of(pod), signal.SIGSTOP)
    managers("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    assert pod["metadata"]["name"] not in names(managers)
    managers.rolled_out()


def test_a_killed_process_comes_back_as_another_life(managers):
    (pod,) = managers.pods()
    name = pod["metadata"]["name"]
    os.kill(pid_of(pod), signal.SIGKILL)
    managers.wait(f"pod/{name}", f"jsonpath={{{STATE}.restartCount}}=1")
    managers.wait(f"pod/{name}", "condition=Ready")
    (again,) = managers.pods()
    last = again["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "Error")
    assert pid_of(again) != pid_of(pod)
    assert f"manager {name} contends" in managers("logs", name, "--previous")
    # Another life is another identity: a lease of the dead one does not count as its own.
    assert f"manager {name}_1 contends" in managers("logs", name)


def test_readiness_follows_the_process(managers):
    (pod,) = managers.pods()
    name = pod["metadata"]["name"]
    probe = {"httpGet": {"path": "/readyz", "port": "probes"}, "periodSeconds": 1}
    container = {"name": "manager", "readinessProbe": {**probe, "failureThreshold": 1}}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    managers("patch", DEPLOYMENT, "--patch", json.dumps(patch))
    managers.rolled_out()
    managers.wait(f"pod/{name}", "delete")
    (pod,) = managers.pods()
    name = pod["metadata"]["name"]
    os.kill(pid_of(pod), signal.SIGSTOP)
    managers.wait(f"pod/{name}", "condition=Ready=false")
    os.kill(pid_of(pod), signal.SIGCONT)
    managers.wait(f"pod/{name}", "condition=Ready")
    assert "Readiness probe failed" in managers("describe", "pod", name)


def test_deleting_the_deployment_ends_everything(managers):
    pids = [pid_of(each) for each in managers.pods()]
    managers("delete", DEPLOYMENT)
    managers("wait", "pods", "--all", "--for=delete", "--timeout=30s")
    assert managers.pods() == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_liveness_kills_a_process_that_hangs_and_hears_no_sigterm(managers):
    probe = {"httpGet": {"path": "/healthz", "port": "probes"}, "periodSeconds": 1}
    container = {
        "name": "manager",
        "livenessProbe": {**probe, "failureThreshold": 2, "timeoutSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    (before,) = managers.pods()
    managers("patch", DEPLOYMENT, "--patch", json.dumps({"spec": {"template": {"spec": spec}}}))
    managers.rolled_out()
    managers.wait(f"pod/{before['metadata']['name']}", "delete")
    (pod,) = managers.pods()
    name = pod["metadata"]["name"]
    os.kill(pid_of(pod), signal.SIGSTOP)
    managers.wait(f"pod/{name}", f"jsonpath={{{STATE}.restartCount}}=1")
    managers.wait(f"pod/{name}", "condition=Ready")
    assert "failed liveness probe, will be restarted" in managers("describe", "pod", name)


def test_a_cordoned_node_takes_no_pods(managers):
    managers("cordon", "lab")
    try:
        managers("scale", DEPLOYMENT, "--replicas=2")
        waiting = next(each for each in managers.pods() if not each["spec"].get("nodeName"))
        name = waiting["metadata"]["name"]
        assert "Pending" in managers("get", "pod", name)
        assert "node(s) were unschedulable" in managers("describe", "pod", name)
    finally:
        managers("uncordon", "lab")
    managers.rolled_out()


def test_a_namespace_goes_with_what_runs_in_it(managers):
    managers("create", "namespace", "elsewhere")
    managers(
        *("create", "deployment", "other", "--image=beskar7/manager", "--replicas=1"),
        *("-n", "elsewhere"),
    )
    expression = "--for=jsonpath={.status.phase}=Running"
    managers("wait", "pods", "-l", "app=other", expression, "--timeout=30s", "-n", "elsewhere")
    managers("delete", "namespace", "elsewhere", "--timeout=40s")
    assert "NotFound" in managers.run("get", "namespace", "elsewhere").stderr


@pytest.mark.every_kubectl
def test_drain_moves_the_pods_off_the_node(managers):
    before = names(managers)
    try:
        said = managers("drain", "lab", "--timeout=30s")
        assert "drained" in said
        assert not before & names(managers)
    finally:
        managers("uncordon", "lab")
    managers.rolled_out()
