"""A controller that is not ours: claims a free host for each machine, by the official client.

It knows nothing of Beskar7 but two kinds of its API, and nothing of the lab but KUBECONFIG.
"""

from __future__ import annotations

import sys

from kubernetes import client, config, watch

GROUP, VERSION, NAMESPACE = "infrastructure.cluster.x-k8s.io", "v1beta1", "default"


def main() -> None:
    config.load_kube_config()
    api = client.CustomObjectsApi()
    machines = watch.Watch().stream(
        api.list_namespaced_custom_object, GROUP, VERSION, NAMESPACE, "beskar7machines"
    )
    for event in machines:
        if event["type"] == "ADDED":
            claim(api, event["object"])


def claim(api: client.CustomObjectsApi, machine: dict) -> None:
    hosts = api.list_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "physicalhosts")["items"]
    if any(
        (host["spec"].get("consumerRef") or {}).get("name") == machine["metadata"]["name"]
        for host in hosts
    ):
        return
    for host in hosts:
        if host["spec"].get("consumerRef"):
            continue
        host["spec"]["consumerRef"] = {
            "apiVersion": machine["apiVersion"],
            "kind": machine["kind"],
            "name": machine["metadata"]["name"],
            "namespace": NAMESPACE,
            "uid": machine["metadata"]["uid"],
        }
        try:
            api.replace_namespaced_custom_object(
                GROUP, VERSION, NAMESPACE, "physicalhosts", host["metadata"]["name"], host
            )
        except client.ApiException as error:
            if error.status == 409:
                continue
            raise
        return


if __name__ == "__main__":
    if sys.argv[1:] == ["--fail"]:
        sys.exit("tiny: no such flag: --fail")
    main()
