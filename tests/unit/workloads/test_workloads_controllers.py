"""Deployment and ReplicaSet controllers on the store: rollouts, rollbacks, scaling, status."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.kube.workloads.objects import DEPLOYMENT, POD, REPLICA_SET, holds, replicas
from emulator.kube.workloads.replicas import MAX_REPLICAS
from emulator.kube.workloads.rollout import REVISION, bounds

pytestmark = pytest.mark.unit


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def images(cluster: Any) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"].partition(":")[2] for pod in cluster.pods)


def test_a_deployment_gets_a_replica_set_and_pods_that_it_owns(cluster):
    made = cluster()
    (owner,) = made.replica_sets
    assert owner["metadata"]["name"].startswith("web-")
    value = owner["metadata"]["labels"]["pod-template-hash"]
    assert owner["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": value}
    assert owner["metadata"]["ownerReferences"][0]["uid"] == made.deployment["metadata"]["uid"]
    assert len(made.pods) == 3
    for pod in made.pods:
        assert pod["metadata"]["name"].startswith(owner["metadata"]["name"] + "-")
        assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": value}
        assert pod["metadata"]["ownerReferences"][0]["controller"] is True
    assert made.deployment["metadata"]["annotations"][REVISION] == "1"


def test_status_follows_the_pods(cluster):
    made = cluster()
    assert made.condition("Available")["status"] == "False"
    assert made.condition("Progressing")["reason"] == "ReplicaSetUpdated"
    made.ready(made.pods[0])
    assert made.deployment["status"]["readyReplicas"] == 1
    assert made.deployment["status"]["unavailableReplicas"] == 2
    made.all_ready()
    status = made.deployment["status"]
    assert status["availableReplicas"] == status["updatedReplicas"] == status["replicas"] == 3
    assert "unavailableReplicas" not in status
    assert status["observedGeneration"] == made.deployment["metadata"]["generation"]
    assert made.condition("Available")["reason"] == "MinimumReplicasAvailable"
    assert made.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_pod_that_is_deleted_is_replaced(cluster):
    made = cluster()
    made.all_ready()
    gone = made.pods[1]["metadata"]["name"]
    made.store.delete(POD, "default", gone)
    assert len(made.pods) == 3
    assert gone not in names(made.pods)


def test_scaling_down_takes_the_pods_of_least_use(cluster):
    made = cluster()
    kept = made.pods[2]
    made.ready(kept)
    made.scale(1)
    assert names(made.pods) == [kept["metadata"]["name"]]
    made.scale(0)
    assert made.pods == []
    made.scale(2)
    assert len(made.pods) == 2
    assert len(made.replica_sets) == 1


def test_of_running_pods_the_unready_goes_first(cluster):
    made = cluster()
    made.all_ready()
    weak = made.pods[1]
    made.ready(weak, False)
    made.scale(2)
    assert weak["metadata"]["name"] not in names(made.pods)
    assert all(holds(pod, "Ready") for pod in made.pods)


def test_a_rolling_update_stays_within_surge_and_unavailability(cluster):
    made = cluster(4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    made.all_ready()
    made.image("v2")
    seen = 0
    while any(not holds(pod, "Ready") for pod in made.pods):
        ready = sum(holds(pod, "Ready") for pod in made.pods)
        assert len(made.pods) <= 5
        assert ready >= 3
        made.ready(next(pod for pod in made.pods if not holds(pod, "Ready")))
        seen += 1
    assert seen == 4
    assert images(made) == ["v2"] * 4
    assert made.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
    assert made.deployment["metadata"]["annotations"][REVISION] == "2"


def test_recreate_ends_the_old_before_it_starts_the_new(cluster):
    made = cluster(2, strategy={"type": "Recreate", "rollingUpdate": None})
    made.all_ready()
    entries = made.store.list(POD, "default")
    for entry in entries:  # assigned to a node, they go with grace
        made.store.patch(POD, "default", entry.name, {"spec": {"nodeName": "lab"}})
    made.image("v2")
    assert images(made) == ["v1", "v1"]
    made.store.delete(POD, "default", entries[0].name, grace=0)
    assert images(made) == ["v1"]
    made.store.delete(POD, "default", entries[1].name, grace=0)
    assert images(made) == ["v2", "v2"]


def test_a_bad_update_leaves_the_old_pods_and_is_undone(cluster):
    made = cluster(3)
    made.all_ready()
    made.image("bad")
    assert images(made) == ["bad", "v1", "v1", "v1"]
    made.image("v1")
    made.all_ready()
    assert images(made) == ["v1"] * 3
    assert made.deployment["metadata"]["annotations"][REVISION] == "3"
    by_revision = {
        each["metadata"]["annotations"][REVISION]: replicas(each) for each in made.replica_sets
    }
    assert by_revision == {"3": 3, "2": 0}
    current = next(each for each in made.replica_sets if replicas(each))
    assert current["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


def test_a_restart_annotation_is_a_new_template(cluster):
    made = cluster(1)
    made.all_ready()
    before = names(made.pods)
    at = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    made.patch({"spec": {"template": {"metadata": {"annotations": at}}}})
    made.all_ready()
    assert names(made.pods) != before
    assert len(made.pods) == 1


def test_old_replica_sets_are_kept_up_to_the_history_limit(cluster):
    made = cluster(1, revisionHistoryLimit=2)
    made.all_ready()
    for version in range(2, 7):
        made.image(f"v{version}")
        made.all_ready()
    kept = sorted(each["metadata"]["annotations"][REVISION] for each in made.replica_sets)
    assert kept == ["4", "5", "6"]


def test_a_paused_deployment_scales_but_does_not_roll(cluster):
    made = cluster(2)
    made.all_ready()
    made.patch({"spec": {"paused": True}})
    made.image("v2")
    made.scale(3)
    assert images(made) == ["v1"] * 3
    assert made.condition("Progressing")["reason"] == "DeploymentPaused"
    made.patch({"spec": {"paused": False}})
    made.all_ready()
    assert images(made) == ["v2"] * 3


def test_min_ready_seconds_is_waited_for(cluster):
    made = cluster(1, minReadySeconds=30)
    made.ready(made.pods[0])
    assert "availableReplicas" not in made.deployment["status"]
    call = next(call for wait, call in made.timers if 29 < wait < 31)

    def later() -> None:
        made.runtime.sleep(31)
        call()

    made.runtime.run(later)
    assert made.deployment["status"]["availableReplicas"] == 1


def test_a_rollout_that_passes_its_deadline_says_so(cluster):
    made = cluster(1, progressDeadlineSeconds=60)
    due = [call for wait, call in made.timers if 59 < wait < 61]
    assert due

    def later() -> None:
        made.runtime.sleep(62)
        due[-1]()

    made.runtime.run(later)
    said = made.condition("Progressing")
    assert (said["status"], said["reason"]) == ("False", "ProgressDeadlineExceeded")
    made.all_ready()
    assert made.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_scale_to_a_million_is_bounded_and_told(cluster):
    made = cluster(1)
    made.scale(1_000_000)
    assert len(made.pods) == MAX_REPLICAS
    assert made.condition("ReplicaFailure")["reason"] == "FailedCreate"
    made.scale(1)
    assert len(made.pods) == 1
    assert all(each["type"] != "ReplicaFailure" for each in made.deployment["status"]["conditions"])


def test_deleting_the_deployment_takes_everything_along(cluster):
    made = cluster(2)
    made.store.delete(DEPLOYMENT, "default", "web")
    assert made.replica_sets == []
    assert made.pods == []


def test_a_lone_replica_set_works(cluster):
    made = cluster(0)
    labels = {"app": "lone"}
    made.store.create(
        REPLICA_SET,
        {
            "metadata": {"name": "lone", "namespace": "default"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        },
    )
    assert len(made.pods) == 2
    assert made.store.get(REPLICA_SET, "default", "lone").obj["status"]["replicas"] == 2


steps = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("scale"), st.integers(0, 6)),
        st.tuples(st.just("ready"), st.integers(0, 20)),
        st.tuples(st.just("unready"), st.integers(0, 20)),
        st.tuples(st.just("delete"), st.integers(0, 20)),
    ),
    max_size=14,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps, st.sampled_from(["25%", 0, 1, 2]), st.sampled_from(["25%", 0, 1, 2]))
def test_any_history_stays_in_bounds_and_converges(cluster, history, surge, unavailable):
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    made = cluster(3, strategy=strategy)
    made.all_ready()
    for action, number in history:
        before = len(made.pods)
        if action == "image":
            made.image(f"v{number}")
        elif action == "scale":
            made.scale(number)
        elif made.pods:
            pod = made.pods[number % len(made.pods)]
            if action == "delete":
                made.store.delete(POD, "default", pod["metadata"]["name"])
            else:
                was = sum(holds(each, "Ready") for each in made.pods)
                made.ready(pod, action == "ready")
                most, least = bounds(made.deployment)
                assert len(made.pods) <= max(before, replicas(made.deployment) + most)
                now = sum(holds(each, "Ready") for each in made.pods)
                if action == "ready":
                    # The controllers take no more than they may.
                    assert now >= min(was, replicas(made.deployment) - least)
    made.all_ready()
    assert len(made.pods) == replicas(made.deployment)
    assert len(set(images(made))) <= 1
    status = made.deployment["status"]
    assert status.get("updatedReplicas", 0) == replicas(made.deployment)
    assert made.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
