"""Real processes and sockets: what your client sees is what a cluster would show it."""

import os
import subprocess
import sys

import pytest

LIST = """
from kubernetes import client, config
config.load_kube_config()
hosts = client.CustomObjectsApi().list_namespaced_custom_object(
    "infrastructure.cluster.x-k8s.io", "v1beta1", "default", "physicalhosts")
print(*(host["status"]["state"] for host in hosts["items"]))
"""


@pytest.mark.beskar7(hosts=2, seed=1)
def test_a_host_is_claimed_booted_and_given_back(lab):
    machine = lab.create_machine()
    lab.wait_until(machine.provisioned)
    host = machine.host
    assert host.power == "On"
    said = subprocess.run(
        [sys.executable, "-c", LIST],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(said.stdout.split()) == ["Available", "Provisioned"]

    machine.delete()
    lab.wait_until(machine.gone, host.available)
    assert host.power == "Off"
