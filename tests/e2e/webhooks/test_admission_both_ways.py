"""One table of requests: the lab's API and the manager's webhooks give the same answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from beskar7.api import admission
from beskar7.api.errors import ApiError
from beskar7.api.kinds import MACHINE_DEPLOYMENT, NAMESPACE, SECRET, Kind
from beskar7.runtime import LiveRuntime
from emulator.kube.admission import install
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.patches.patch import merge_patch
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.e2e

CASES = yaml.safe_load(Path(__file__).with_name("admission_cases.yaml").read_text())
KINDS: dict[str, Kind] = {
    kind.kind: kind
    for kind in (*(rules.kind for rules in admission.RULES), MACHINE_DEPLOYMENT, NAMESPACE, SECRET)
}
SECRETS = ("s3cret", "correct-horse-battery", "x9-kk2Q", "Password")


class Asked:
    """A case in a store of its own, which does not apply admission yet."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.kind = KINDS[case["kind"]]
        self.rules = next(rules for rules in admission.RULES if rules.kind == self.kind)
        self.namespace = case.get("namespace", "default")
        self.call = Call(client="kubectl/test", dry_run=case.get("dryRun", False))
        self.store: Store = new_store(LiveRuntime(seed=1))
        if not any(obj["kind"] == "Namespace" for obj in case.get("world", ())):
            self._add({"kind": "Namespace", "metadata": {"name": self.namespace}})
        for obj in case.get("world", ()):
            self._add(obj)
        self.old: dict[str, Any] | None = None
        if "old" in case:
            self.store.create(self.kind, self._full(self.kind, case["old"]))
            if "status" in case["old"]:
                patch = {"status": case["old"]["status"]}
                self.store.patch(self.kind, self.namespace, "x", patch, status=True)
            self.old = self.store.get(self.kind, self.namespace, "x").copy()

    def _add(self, obj: dict[str, Any]) -> None:
        kind = KINDS[obj["kind"]]
        if not (kind == NAMESPACE and self.store.exists(kind, None, obj["metadata"]["name"])):
            self.store.create(kind, self._full(kind, obj))

    def _full(self, kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
        where = {"namespace": self.namespace} if kind.namespaced else {}
        meta = {"name": "x", **where, **obj.get("metadata", {})}
        return {**obj, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}

    def write(self) -> dict[str, Any] | None:
        """What the store has of it afterwards. Raises an ``ApiError``."""
        match self.case["operation"]:
            case "CREATE":
                sent = self._full(self.kind, self.case["new"])
                return self.store.create(self.kind, sent, call=self.call).copy()
            case "UPDATE":
                new = self.case["new"]
                return self.store.patch(self.kind, self.namespace, "x", new, call=self.call).copy()
            case _:
                self.store.delete(self.kind, self.namespace, "x", call=self.call)
                return None

    def sent(self) -> dict[str, Any]:
        """The object as an API server has it before it asks the first webhook."""
        if self.old is not None:
            return merge_patch(self.old, self.case["new"])
        return self._full(self.kind, self.case["new"])


def causes(status: dict[str, Any]) -> dict[str, str]:
    listed = status.get("details", {}).get("causes", ())
    return {cause["field"]: cause["message"] for cause in listed} or {"": status["message"]}


def in_the_lab(case: dict[str, Any]) -> tuple[dict[str, Any] | None, Any, list[str]]:
    """The object, or None; the refusal's Status, or None; and the warnings."""
    asked = Asked(case)
    install(asked.store)
    try:
        return asked.write(), None, asked.call.warnings
    except ApiError as error:
        return None, error.status(), error.warnings


def by_webhook(
    case: dict[str, Any], webhooks: Callable[[Any], Any]
) -> tuple[dict[str, Any] | None, Any, list[str]]:
    asked = Asked(case)
    runtime = LiveRuntime(seed=1)
    caller = webhooks(InProcessKube(asked.store, runtime, latency=LatencyModel(0, 0)))
    request: dict[str, Any] = {"oldObject": asked.old, "dryRun": asked.call.dry_run}
    if case["operation"] != "DELETE":
        new = asked.sent()
        mutated = caller.ask(asked.rules.mutate_path, case["operation"], **request, object=new)
        assert mutated["allowed"]
        if "patch" in mutated:
            assert mutated["patchType"] == "JSONPatch"
            patch = json.loads(base64.b64decode(mutated["patch"]))
            new = jsonpatch.JsonPatch(patch).apply(new)
        request["object"] = asked.store.resource(asked.kind).schema.default(new)
    judged = caller.ask(asked.rules.validate_path, case["operation"], **request)
    assert judged["allowed"] == ("status" not in judged)
    return request.get("object"), judged.get("status"), judged.get("warnings", [])


def at(obj: Any, path: str) -> Any:
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_lab_and_the_webhooks_agree(
    case: dict[str, Any], webhooks: Callable[[Any], Any]
) -> None:
    lab, refused, warned = in_the_lab(case)
    hook, refused_by_hook, warned_by_hook = by_webhook(case, webhooks)

    assert warned == warned_by_hook
    expected = case.get("warned", [])
    assert len(warned) == len(expected), warned
    for part, warning in zip(expected, warned, strict=True):
        assert part in warning

    wanted = case.get("refused", {})
    assert (refused is not None) == bool(wanted), refused
    assert (refused_by_hook is not None) == bool(wanted), refused_by_hook
    if refused is not None:
        name = f"validation.{case['kind'].lower()}.infrastructure.cluster.x-k8s.io"
        said = f'admission webhook "{name}" denied the request: {refused_by_hook["message"]}'
        assert refused["message"] == said
        assert {**refused, "message": ""} == {**refused_by_hook, "message": ""}
        assert refused["code"] == (403 if case["operation"] == "DELETE" else 422)
        found = causes(refused_by_hook)
        assert found.keys() == wanted.keys()
        for field, part in wanted.items():
            assert part in found[field]
    for path, value in case.get("set", {}).items():
        assert at(lab, path) == at(hook, path) == value
    said = json.dumps([warned, refused])
    assert not [secret for secret in SECRETS if secret in said]
