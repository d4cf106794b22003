"""The kubectl commands of scenarios: which are taken, and what they are taken for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.kinds import CONFIG_MAP, LEASE, PHYSICAL_HOST
from emulator.kube.workloads.objects import DEPLOYMENT, POD
from scenarios.engine.rehearsal.kubectl_commands import (
    Apply,
    Delete,
    Mark,
    Patch,
    Place,
    RolloutRestart,
    RolloutStatus,
    Scale,
    SetEnv,
    SetResources,
)
from scenarios.engine.rehearsal.kubectl_line import (
    COMMANDS,
    MAX_LINE,
    ROLLOUT_PATIENCE,
    read_kubectl,
)
from scenarios.engine.rehearsal.kubectl_words import WORDS

pytestmark = pytest.mark.unit
SYSTEM = "beskar7-system"
MANAGERS = Place(DEPLOYMENT, SYSTEM, "beskar7-controller-manager")
NAMED = "deployment/beskar7-controller-manager -n beskar7-system"
HOST: dict[str, Any] = {
    "apiVersion": PHYSICAL_HOST.api_version,
    "kind": "PhysicalHost",
    "metadata": {"name": "host-900"},
    "spec": {},
}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (
            'patch configmap beskar7-config -n beskar7-system --patch \'{"data":{"a":"1"}}\'',
            Patch(Place(CONFIG_MAP, SYSTEM, "beskar7-config"), "strategic", {"data": {"a": "1"}}),
        ),
        (
            "kubectl patch physicalhost host-001 --type=merge --subresource=status "
            """-p '{"status":{"state":"Enrolling"}}'""",
            Patch(
                Place(PHYSICAL_HOST, "default", "host-001"),
                "merge",
                {"status": {"state": "Enrolling"}},
                "status",
            ),
        ),
        (
            f"patch {NAMED} --type json -p '[{{op: remove, path: /spec/paused}}]'",
            Patch(MANAGERS, "json", [{"op": "remove", "path": "/spec/paused"}]),
        ),
        (
            "scale deployment beskar7-controller-manager --namespace=beskar7-system --replicas=0",
            Scale(MANAGERS, 0),
        ),
        (f"rollout restart {NAMED}", RolloutRestart(MANAGERS)),
        (f"rollout status {NAMED} --timeout=60s", RolloutStatus(MANAGERS, 60.0)),
        (f"rollout status {NAMED}", RolloutStatus(MANAGERS, ROLLOUT_PATIENCE)),
        (
            "delete lease a b -n beskar7-system --ignore-not-found",
            Delete((Place(LEASE, SYSTEM, "a"), Place(LEASE, SYSTEM, "b")), True),
        ),
        (
            "delete pods -l app=x -n beskar7-system --wait=false",
            Delete((), wait=False, kind=POD, namespace=SYSTEM, selector="app=x"),
        ),
        (
            "annotate physicalhost host-001 example.com/retry=now old- --overwrite",
            Mark(
                Place(PHYSICAL_HOST, "default", "host-001"),
                "annotations",
                {"example.com/retry": "now", "old": None},
                True,
            ),
        ),
        (
            "label physicalhost/host-001 a=b=c",
            Mark(Place(PHYSICAL_HOST, "default", "host-001"), "labels", {"a": "b=c"}),
        ),
        (f"set env {NAMED} A=1 B-", SetEnv(MANAGERS, {"A": "1", "B": None})),
        (
            f"set resources {NAMED} -c manager --limits=cpu=500m,memory=256Mi",
            SetResources(MANAGERS, {"cpu": "500m", "memory": "256Mi"}, {}, "manager"),
        ),
    ],
)
def test_what_a_command_means(line: str, command: object) -> None:
    assert read_kubectl(line).command == command


def test_manifests_are_for_apply() -> None:
    assert read_kubectl("apply -f - -n lab", [HOST]).command == Apply((HOST,), "lab")
    with pytest.raises(ValueError, match="manifests belong to apply"):
        read_kubectl(f"rollout restart {NAMED}", [HOST])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("get pods", "is not a command that a scenario may give"),
        ("exec -it pod/x -- sh", "is not a command that a scenario may give"),
        ("rollot restart deployment/x", 'did you mean "rollout restart"'),
        ("apply -f /etc/passwd", "takes -f - only"),
        ("apply -f -", "needs manifests"),
        ("patch secret x -p '{'", "kubectl patch: the patch cannot be read"),
        ("patch secret x -p '{data: {a: b}}'", "the patch cannot be read"),
        ("patch physicalhost x -p '{}'", "take --type=merge or json only"),
        ("patch configmap x --type=merge -p '[]'", "has to be a mapping"),
        ("patch configmap a b -p '{}'", "names 2 objects"),
        ("patch service x -p '{}'", 'the kind "service" is not one'),
        ("patch configmap -p '{}'", "names no object"),
        ("scale pod/x --replicas=1", "is for Deployment only"),
        ("scale deployment/x --replicas=-1", "has to be from 0 to 50"),
        ("scale deployment/x", "--replicas"),
        ("rollout status deployment/x --timeout=1h", "has to be at most 300s"),
        ("delete deployment x", "is for Lease, Pod, Beskar7Machine only"),
        ("delete pod x -l a=b", "gives names and a selector"),
        ("annotate physicalhost x", "changes nothing"),
        ("set env deployment/x 1A=2", "is not the name of a variable"),
        ("set resources deployment/x --limits=disk=1", "such as cpu=500m"),
        ("set resources deployment/x", "changes nothing"),
        ("scale deployment/X_y --replicas=1", "is not the name of an object"),
        ("scale deployment/x --kubeconfig=/tmp/y --replicas=1", "unrecognized arguments"),
        ("patch configmap 'x", "cannot be split into words"),
        ("x" * (MAX_LINE + 1), "the limit is"),
    ],
)
def test_what_is_wrong_is_said(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        read_kubectl(line)
    assert said in str(caught.value)


@given(
    st.lists(
        st.sampled_from([*" ".join(COMMANDS).split(), *WORDS, "-n", "-p", "--replicas=3", "{}"])
        | st.text(max_size=12),
        max_size=8,
    )
)
def test_whatever_is_written_is_understood_or_refused(words: list[str]) -> None:
    """No other error, and what is understood goes to kubectl as it was read."""
    try:
        found = read_kubectl(" ".join(words))
    except ValueError:
        return
    assert read_kubectl(found.line) == found
