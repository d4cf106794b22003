"""Load on a cluster that is there: broken off in the middle, refused, seen through its pods."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from beskar7.api.kinds import BESKAR7_MACHINE
from loadtest.api import Api
from loadtest.kubeconfig import Access
from loadtest.kubeconfig import load as read_kubeconfig
from loadtest.managers import by_pods
from loadtest.metrics import CLAIM_ATTEMPTS
from loadtest.preflight import NotReady, preflight
from loadtest.report import MEASURES
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load as catalogued

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        importlib.util.find_spec("locust") is None, reason="the extra `load` is not installed"
    ),
]
OTHERS = "example.com/others"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def world() -> Iterator[LiveWorld]:
    """As `beskar7 up` makes it: the managers are pods."""
    overrides = ["world.hosts.count=4", "world.managers.replicas=1", "world.managers.deployed=true"]
    world = LiveWorld(catalogued("smoke", overrides), seed=1)
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture(scope="module")
def access(world: LiveWorld) -> Access:
    return read_kubeconfig(world.kubeconfig)


def command(kubeconfig: Path, *arguments: str) -> list[str]:
    asked = ["load", *arguments, "--kubeconfig", str(kubeconfig)]
    return [sys.executable, "-m", "beskar7", *asked]


def heard_of(word: str) -> list[str]:
    """The command lines of processes that name it."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has just ended
            continue
    return [line for line in lines if word in line]


@pytest.mark.timeout(600)
def test_ctrl_c_gives_all_machines_back_and_leaves_no_process(
    world: LiveWorld, tmp_path: Path
) -> None:
    report = tmp_path / "out"
    size = ["--machines", "3", "--duration", "600", "--hold", "500", "--processes", "2"]
    kube, listed = world.kube, world.kube.list(BESKAR7_MACHINE, "default")
    running = subprocess.Popen(
        command(Path(world.kubeconfig), "soak", *size, "--report", str(report)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        served: set[str] = set()
        for event in kube.watch(
            BESKAR7_MACHINE, "default", resource_version=listed.resource_version, timeout=240
        ):
            if (event.object.get("status") or {}).get("phase") == "Provisioned":
                served.add(event.object["metadata"]["name"])
            if len(served) == 3:
                break
        assert len(served) == 3
        labels = event.object["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "beskar7-load"
        # Somebody else wants a word, too, before this one goes: its user has to wait for that.
        slow = sorted(served)[0]
        finalizers = kube.get(BESKAR7_MACHINE, "default", slow)["metadata"]["finalizers"]
        kept = {"metadata": {"finalizers": [*finalizers, OTHERS]}}
        version = kube.patch(BESKAR7_MACHINE, "default", slow, kept)["metadata"]["resourceVersion"]
        running.send_signal(signal.SIGINT)
        # Nobody keeps a machine for the 500 seconds that it was asked for.
        waiting = False
        for event in kube.watch(BESKAR7_MACHINE, "default", resource_version=version, timeout=120):
            meta = event.object["metadata"]
            if event.type == "DELETED":
                served.discard(meta["name"])
            waiting = waiting or (meta["name"] == slow and meta["finalizers"] == [OTHERS])
            if waiting and served == {slow}:
                break
        assert served == {slow}
        # Longer than the half second that Locust's own master gives its workers' last figures.
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1.5)
        kube.patch(BESKAR7_MACHINE, "default", slow, {"metadata": {"finalizers": []}})
        said, _ = running.communicate(timeout=120)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130, said
    assert "Interrupted. Users gave back the machines that they had." in said
    left = kube.list(BESKAR7_MACHINE, "default").items
    assert all(item["metadata"].get("deletionTimestamp") for item in left)
    assert heard_of(str(report)) == []
    found = json.loads((report / "result.json").read_bytes())
    assert found["ending"] == "interrupted"
    # Both workers had the last word: what was asked for was given back, and measured.
    measures = found["client"]["measures"]
    counts = {name: (row["count"], row["failed"]) for name, row in measures.items()}
    assert counts == dict.fromkeys(MEASURES, (3, 0))
    with (report / "locust_stats.csv").open(encoding="utf-8") as file:
        locusts = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}
    assert locusts["time-to-release"] == 3
    # Of its pods, through the API server: nobody told it where the managers are.
    assert found["metrics"]["claim_attempts"] >= 3


@pytest.mark.timeout(300)
def test_workers_by_hand_as_the_docs_have_them(world: LiveWorld) -> None:
    root = Path(__file__).parents[3]
    page = MarkdownIt("commonmark").parse((root / "docs/load.md").read_text(encoding="utf-8"))
    fences = [each.content for each in page if each.type == "fence"]
    (block,) = [text for text in fences if "--expect-workers" in text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    # Not Locust's usual one, which another test beside this may have.
    ports = dict.fromkeys(("LOCUST_MASTER_NODE_PORT", "LOCUST_MASTER_BIND_PORT"), port)
    shell = subprocess.Popen(
        ["/bin/sh", "-c", block],
        cwd=root,
        env=os.environ | ports | {"KUBECONFIG": str(world.kubeconfig), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # Until all three have ended by themselves.
        said, complained = shell.communicate(timeout=240)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    assert shell.returncode == 0, said + complained
    assert "Traceback" not in complained
    assert "HELD: every promise held" in said.splitlines()
    # Only the master knew the shape: workers without one would ask again and again.
    rows = {tuple(line.split()[:3]) for line in said.splitlines()}
    assert {(name, "4", "0") for name in MEASURES} <= rows


def test_pods_tell_what_their_managers_count(access: Access) -> None:
    pages = by_pods(lambda: Api(access, "test"))()
    assert len(pages) == 1
    assert CLAIM_ATTEMPTS in next(iter(pages.values()))
    nobody = Access(access.server, ca=access.ca, token="nobody")
    assert by_pods(lambda: Api(nobody, "test"))() == {}


def test_who_may_only_look_is_told_what_a_load_needs(access: Access) -> None:
    admin = Api(access, "test")
    meta = {"metadata": {"name": "looker"}}
    admin.create("/api/v1/namespaces/default/serviceaccounts", meta)
    looks = {"apiGroups": ["*"], "resources": ["beskar7machines"], "verbs": ["list", "watch"]}
    admin.create(f"{RBAC}/clusterroles", {**meta, "rules": [looks]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"}
    who = {"kind": "ServiceAccount", "name": "looker", "namespace": "default"}
    admin.create(f"{RBAC}/clusterrolebindings", {**meta, "roleRef": role, "subjects": [who]})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = admin.create("/api/v1/namespaces/default/serviceaccounts/looker/token", asked)
    token = str(made["status"]["token"])
    looker = Api(Access(access.server, ca=access.ca, token=token), "test")
    with pytest.raises(NotReady, match="may not create, delete beskar7machines in namespace"):
        preflight(looker, access.server, "default")
    preflight(admin, access.server, "default")


@pytest.mark.timeout(300)
def test_a_token_that_is_not_known_is_exit_2_and_leaves_no_worker(
    world: LiveWorld, tmp_path: Path
) -> None:
    document = yaml.safe_load(Path(world.kubeconfig).read_text(encoding="utf-8"))
    document["users"][0]["user"] = {"token": "nonsense"}
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        command(wrong, "batch", "--processes", "2"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the token or certificate of the kubeconfig is not accepted there (401)" in done.stderr
    assert "Traceback" not in done.stderr
    assert heard_of(str(wrong)) == []
