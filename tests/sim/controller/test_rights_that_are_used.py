"""The roles grant what the controller asks for, and nothing besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api import kinds
from beskar7.api.admission import Context, validate
from beskar7.api.hostclaims import new_claim
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    HOST_CLAIM,
    LEASE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.resources import Beskar7Machine
from beskar7.claim_term import CLAIM_LEASE
from beskar7.manifests.rights import rights
from beskar7.term import MANAGER_LEASE
from scenarios.engine.schema import Passage

pytestmark = pytest.mark.sim

Right = tuple[str, str, str]
"""API group, resource, verb."""
STATUS = {"update_status": "update", "patch_status": "patch"}
KINDS = {kind.kind: kind for kind in vars(kinds).values() if isinstance(kind, Kind)}


def granted() -> set[Right]:
    return {
        (group, resource, verb)
        for role in rights()
        for rule in role.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def right(verb: str, kind: Kind) -> Right:
    if verb in STATUS:
        return kind.group, f"{kind.plural}/status", STATUS[verb]
    return kind.group, kind.plural, verb


class Asked:
    """Reads for the webhooks' rules, and notes what they ask for."""

    def __init__(self, kube: Any) -> None:
        self._kube = kube
        self.rights: set[Right] = set()

    def get(self, kind: Kind, namespace: str | None, name: str) -> Any:
        self.rights.add(right("get", kind))
        return self._kube.get(kind, namespace, name)

    def list(self, kind: Kind, namespace: str | None = None) -> Any:
        self.rights.add(right("list", kind))
        return self._kube.list(kind, namespace)


def obj(kind: Kind, name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **fields}


TEMPLATE = obj(
    BESKAR7_MACHINE_TEMPLATE,
    "pool",
    spec={"template": {"spec": {"imageURL": "http://i.lab/a.iso", "osFamily": "kairos"}}},
)


def webhooks(driver: Any) -> set[Right]:
    """A host's creation and a template's deletion look at most of all requests."""
    asked = Asked(driver.kube)
    context = Context(asked, driver.runtime.wall())
    host = driver.hosts()["host-001"]
    host["spec"]["redfishConnection"]["address"] = "http://10.0.0.1"
    validate("CREATE", host, None, context)
    validate("DELETE", None, TEMPLATE, context)
    return asked.rights


def live(driver: Any) -> None:
    """All that the controller has to do with each of its kinds."""
    driver.kube.create(BESKAR7_CLUSTER, obj(BESKAR7_CLUSTER, "blue", spec={}))
    driver.kube.create(BESKAR7_MACHINE_TEMPLATE, TEMPLATE)
    driver.create_machines(3)
    driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "provisioned")
    driver.kube.delete(BESKAR7_MACHINE_TEMPLATE, "default", "pool")
    driver.kube.delete(BESKAR7_CLUSTER, "default", "blue")
    change_of_mind(driver)
    # The same once more, by name: the same events of the only host that can be taken.
    driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
    driver.until(lambda: "machine-001" not in driver.machines(), "gone")
    driver.create_machines(1)
    driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "provisioned again")
    orphan(driver)


def change_of_mind(driver: Any) -> None:
    """A claim that waits asks for something else; another is that of a former machine."""
    driver.create_machine("picky", requiredTags=["gpu"])
    driver.until(lambda: driver.kube.list(HOST_CLAIM).items, "handed over")
    driver.runtime.sleep(2.0)
    wish = {"spec": {"hostRequirements": {"requiredTags": ["ssd"]}}}
    driver.kube.patch(BESKAR7_MACHINE, "default", "picky", wish)
    driver.runtime.sleep(2.0)
    former = new_claim(Beskar7Machine(driver.machines()["picky"])).raw
    # As long as nobody has collected it.
    former["metadata"].update(name="again", ownerReferences=[])
    former["spec"]["machineRef"].update(name="again", uid="former")
    driver.kube.create(HOST_CLAIM, former)
    driver.create_machine("again", requiredTags=["gpu"])
    driver.runtime.sleep(2.0)
    for name in ("picky", "again"):
        driver.kube.delete(BESKAR7_MACHINE, "default", name)
    driver.until(lambda: len(driver.machines()) == 3, "gone")


def orphan(driver: Any) -> None:
    """A host whose owner never was, by a write that came late."""
    driver.kube.delete(BESKAR7_MACHINE, "default", "machine-002")
    driver.until(lambda: driver.states().count("Available") == 1, "released")
    name = next(n for n, host in driver.hosts().items() if host["status"]["state"] == "Available")
    owner = driver.hosts()[next(iter(driver.owners()))]["spec"]["consumerRef"]
    ghost = owner | {"name": "ghost", "uid": "ghost"}
    driver.kube.patch(PHYSICAL_HOST, "default", name, {"spec": {"consumerRef": ghost}})
    driver.until(lambda: name not in driver.owners(), "released, too")


def used(driver: Any, *deeds: Callable[[Any], None]) -> set[Right]:
    """What managers ask the API for, from their start on."""
    passed: list[Passage] = []
    driver.world.doors.heard = passed.append
    for lease in (MANAGER_LEASE, CLAIM_LEASE):
        driver.kube.delete(LEASE, "beskar7-system", lease)
    for identity, _ in driver.world.managers():
        driver.manager(identity)[0].kill()
    for _ in range(2):
        driver.world.start_manager()
    for deed in deeds:
        deed(driver)
    calls = [passage.what.split() for passage in passed if passage.moment == "call"]
    return {right(verb, KINDS[kind]) for verb, kind, *_ in calls if kind in KINDS}


@pytest.mark.upstream("U28")
def test_the_roles_grant_what_is_asked_for_and_no_more(in_world, claim_coordinator):
    def body(driver: Any) -> None:
        found = used(driver, live, lambda driver: driver.runtime.sleep(3700.0))
        found |= webhooks(driver)
        assert found - granted() == set(), "asked for, and not granted"
        assert granted() - found == set(), "granted, and asked for by nobody"

    in_world(body, hosts=3, managers=2, args=claim_coordinator)
