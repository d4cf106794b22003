"""Pods as processes: they end with their lab, come back after it, and a lab can be told to kill."""

from __future__ import annotations

import signal

import pytest
import requests

from beskar7.api.kinds import CONFIG_MAP, EVENT, LEASE
from emulator.deployed import NAME, NAMESPACE
from emulator.kube.workloads.kubelet import MAX_PODS
from emulator.kube.workloads.objects import DEPLOYMENT, POD, holds
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load

pytestmark = pytest.mark.e2e


def state(pod):
    return (pod.get("status", {}).get("containerStatuses") or [{}])[0]


def test_managers_do_not_outlive_an_api_that_is_killed(start_lab, outlives):
    lab = start_lab()
    lab.managers.create(2, {})
    lab.managers.wait(30)
    pids = lab.pids()
    assert len(pids) == 2
    lab.process.kill()
    assert not any(outlives(pid) for pid in pids)


def test_a_stopped_api_ends_its_managers_in_good_order(start_lab, outlives):
    lab = start_lab()
    lab.managers.create(1, {})
    lab.managers.wait(30)
    (pid,) = lab.pids()
    lab.process.send_signal(signal.SIGTERM)
    assert lab.process.wait(timeout=30) == 0
    assert not outlives(pid, 0)
    (log,) = (lab.directory / "pods").glob(f"{NAMESPACE}_{NAME}-*/manager/0.log")
    assert "stops" in log.read_text()
    assert not list((lab.directory / "pods").glob("*/kubeconfig")), "a token was left behind"


def test_pods_come_back_with_a_lab_that_keeps_its_data(start_lab, tmp_path):
    keep = ("--data-dir", str(tmp_path / "data"))
    lab = start_lab(*keep)
    lab.managers.create(1, {})
    lab.managers.wait(30)
    (pod,) = lab.pods()
    lab.process.kill()
    lab.process.wait()
    again = start_lab(*keep)
    back = again.until(lambda each: state(each).get("restartCount") == 1 and holds(each, "Ready"))
    assert back["metadata"]["uid"] == pod["metadata"]["uid"]
    assert state(back)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_a_pod_waits_for_the_config_map_that_it_needs(start_lab):
    lab = start_lab()
    container = {
        "name": "manager",
        "image": "beskar7/manager:lab",
        "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "x"}}},
        ],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": NAMESPACE},
        "spec": {"serviceAccountName": NAME, "containers": [container]},
    }
    lab.kube.create(POD, pod)

    def reason(each):
        return (state(each).get("state", {}).get("waiting") or {}).get("reason")

    stuck = lab.until(lambda each: reason(each) == "CreateContainerConfigError")
    assert state(stuck)["state"]["waiting"]["message"] == 'configmap "later" not found'
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "later", "namespace": NAMESPACE},
        "data": {"x": "1"},
    }
    lab.kube.create(CONFIG_MAP, config)
    lab.until(lambda each: holds(each, "Ready"))


def test_more_pods_than_there_is_room_for_wait(start_lab):
    lab = start_lab()
    container = {"name": "c", "image": "nginx"}  # takes a place, and no process
    for number in range(MAX_PODS + 1):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p-{number}", "namespace": NAMESPACE},
            "spec": {"containers": [container]},
        }
        lab.kube.create(POD, pod)
    last = f"p-{MAX_PODS}"
    waiting = lab.kube.get(POD, NAMESPACE, last)
    assert waiting["status"]["conditions"][0]["reason"] == "Unschedulable"
    assert "Too many pods" in waiting["status"]["conditions"][0]["message"]
    lab.kube.delete(POD, NAMESPACE, "p-0")
    lab.until(lambda each: each["metadata"]["name"] == last and bool(each["spec"].get("nodeName")))


def test_the_metrics_are_the_sum_of_the_managers(start_lab):
    lab = start_lab()
    lab.managers.create(2, {"leader-elect": "false"})
    lab.managers.wait(30)
    answer = requests.get(
        f"{lab.url}/metrics",
        headers=lab.authorization,
        verify=str(lab.directory / "ca.crt"),
        timeout=10,
    )
    assert "#" not in answer.text
    both = [requests.get(url, timeout=5).text for url in lab.managers.metrics_urls().values()]
    assert len(both) == 2
    assert answer.text.count("beskar7_leader{") == 2
    shared = "beskar7_provisioning_queue_length"
    for line in answer.text.splitlines():
        if line.startswith(shared):
            assert float(line.split()[1]) == 0.0
    anonymous = requests.get(answer.url, verify=str(lab.directory / "ca.crt"), timeout=10)
    assert anonymous.status_code == 401


def test_a_world_of_pods_can_be_killed_and_grown():
    world = LiveWorld(load("smoke", ["world.hosts.count=1"]), seed=1, deployed=True)
    try:
        world.start()
        ((first, alive),) = world.managers()
        assert alive
        assert world.kube.get(LEASE, NAMESPACE, NAME)["spec"]["holderIdentity"] == first
        assert world.kill_manager("leader") == first
        world.lab.await_managers()
        second = world.start_manager()
        lives = dict(world.managers())
        assert lives[first] is False
        assert lives[f"{first}_1"] is True
        assert lives[second] is True
        assert set(world.manager_metrics()) == {f"{first}_1", second}
        assert world.kube.get(DEPLOYMENT, NAMESPACE, NAME)["spec"]["replicas"] == 2
        reasons = {
            each["reason"]
            for each in world.kube.list(EVENT, NAMESPACE).items
            if each["involvedObject"]["kind"] == "Pod"
        }
        assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons
    finally:
        world.stop()
