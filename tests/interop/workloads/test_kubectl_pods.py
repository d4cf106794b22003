"""kubectl looks at pods: get, describe, logs, exec, top, and the sum of their metrics."""

from __future__ import annotations

import re
import shutil

import pytest

from beskar7.runtime import LiveRuntime
from emulator.deployed import NAME

pytestmark = [pytest.mark.interop, pytest.mark.every_kubectl]

DEPLOYMENT = f"deployment/{NAME}"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


def test_get_shows_what_people_look_for(managers):
    row = managers("get", DEPLOYMENT, "--no-headers").split()
    assert row[:4] == [NAME, "2/2", "2", "2"]
    for line in managers("get", "pods", "-o", "wide", "--no-headers").splitlines():
        name, ready, status, restarts, _, address, node, *_ = line.split()
        assert name.startswith(NAME)
        assert (ready, status, restarts, node) == ("1/1", "Running", "0", "lab")
        assert address.startswith("127.")
    assert managers("get", "replicasets", "--no-headers").split()[1:4] == ["2", "2", "2"]
    assert managers("get", "nodes", "--no-headers").split()[:2] == ["lab", "Ready"]
    path = "jsonpath={.status.conditions[?(@.type=='Available')].status}"
    assert managers("get", DEPLOYMENT, "-o", path) == "True"


def test_describe_says_how_the_pod_came_to_run(managers):
    # By name: for several pods at once, newer kubectls do not ask for the events.
    said = managers("describe", "pod", managers.pods()[0]["metadata"]["name"])
    for words in ("Scheduled", "Created", "Started", "Successfully assigned", "process://"):
        assert words in said
    assert re.search(r"Ready\s+True", said)
    assert re.search(r"POD_IP:\s+\(v1:status.podIP\)", said)
    assert "MinimumReplicasAvailable" in managers("describe", DEPLOYMENT)
    assert "beskar7/manager" in managers("describe", "node", "lab") + said


def test_logs_of_a_pod_and_of_the_deployment(managers):
    pod = managers.pods()[0]["metadata"]["name"]
    everything = managers("logs", pod)
    assert "contends for beskar7-controller-manager" in everything
    assert "contends for" in managers("logs", DEPLOYMENT, "--since=10m")
    assert managers("logs", pod, "--tail=1").count("\n") == 1
    assert everything.endswith(managers("logs", pod, "--tail=1"))
    assert managers("logs", pod, "--tail=0") == ""
    stamped = managers("logs", pod, "--timestamps").splitlines()
    assert all(STAMP.match(line) for line in stamped)
    first = stamped[0].split()[0]
    assert managers("logs", pod, f"--since-time={first}") == everything
    assert managers("logs", pod, "--since-time=2100-01-01T00:00:00Z") == ""
    assert managers("logs", pod, "--limit-bytes=10") == everything[:10]
    assert "previous terminated container" in managers.run("logs", pod, "--previous").stderr
    assert "not valid for pod" in managers.run("logs", pod, "-c", "nobody").stderr


def test_logs_are_followed(managers):
    leader = managers("get", "lease", NAME, "-o", "jsonpath={.spec.holderIdentity}")
    follower = next(
        each["metadata"]["name"] for each in managers.pods() if each["metadata"]["name"] != leader
    )
    following = managers.start("logs", "-f", follower)
    patience = LiveRuntime().timer(20.0, following.kill, name="patience")
    try:
        assert "contends" in following.stdout.readline()
        managers("delete", "pod", leader)
        for line in following.stdout:
            if "the leader is" in line and leader not in line:
                break
        else:
            pytest.fail("the log told of no other leader")
    finally:
        patience.cancel()
        following.kill()
        following.communicate()
    managers.rolled_out()


def needs_exec(managers):
    if not managers.has_exec:
        pytest.skip("kubectl before 1.31 speaks exec over SPDY only")


def test_exec_by_a_kubectl_that_speaks_spdy_only_is_refused_in_words(managers):
    if managers.has_exec:
        pytest.skip("this kubectl speaks WebSocket")
    said = managers.run("exec", DEPLOYMENT, "--", "true").stderr
    assert "exec is served over WebSocket only (kubectl 1.31 and later" in said


def test_exec_runs_in_the_pods_environment(managers):
    needs_exec(managers)
    pod = managers.pods()[0]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    said = managers("exec", name, "--", "sh", "-c", "echo $POD_NAME $POD_IP $POD_NAMESPACE")
    assert said.split() == [name, address, "beskar7-system"]
    assert managers("exec", "-i", name, "--", "cat", stdin="through\n") == "through\n"
    done = managers.run("exec", name, "--", "sh", "-c", "echo one; echo two >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "one\n")
    assert done.stderr.startswith("two\n")
    assert "exit code 7" in done.stderr
    big = managers("exec", name, "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(big) == 3_000_000


def test_exec_of_what_the_host_does_not_have(managers):
    needs_exec(managers)
    done = managers.run("exec", DEPLOYMENT, "--", "no-such-tool-here", "kubernetes.default")
    assert done.returncode == 1
    assert 'exec: "no-such-tool-here": executable file not found in $PATH' in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="the host has no curl")
def test_the_guides_curl_from_within_a_pod(managers):
    needs_exec(managers)
    script = "curl -s http://$POD_IP:8081/readyz"
    assert managers("exec", DEPLOYMENT, "--", "sh", "-c", script) == "ok\n"


def test_top_shows_what_the_processes_use(managers):
    rows = managers("top", "pod", "--no-headers").splitlines()
    assert len(rows) == 2
    for row in rows:
        name, cpu, memory = row.split()
        assert name.startswith(NAME)
        assert re.fullmatch(r"\d+m", cpu)
        assert 20 <= int(memory.removesuffix("Mi")) <= 500
    assert len(managers("top", "pod", "-l", f"app={NAME}", "--no-headers").splitlines()) == 2
    node = managers("top", "node", "--no-headers").split()
    assert node[0] == "lab"
    assert int(node[3].removesuffix("Mi")) > 0


def test_the_guides_scripts_read_numbers_from_the_metrics(managers):
    length = managers.shell(
        "kubectl get --raw /metrics | grep beskar7_leader | awk '{sum+=$2} END {print sum}'"
    )
    assert length.strip() == "1"
    text = managers("get", "--raw", "/metrics")
    assert text
    assert all(re.fullmatch(r"\S.* -?[\d.e+-]+|\S.* [+-]Inf", line) for line in text.splitlines())


def test_what_there_is_not_is_said_in_words(managers):
    pod = managers.pods()[0]["metadata"]["name"]
    assert managers.run("attach", pod).returncode != 0
    said = managers.run("port-forward", pod, "0:8080").stderr
    assert managers.minor < 30 or "kubectl needs SPDY" in said
