"""The ten traps for who writes an API server (facts measured on clients), a test for each.

Each is told over HTTP, against a server in this process, so that what is tested is what clients
see. Two traps that clients fall into come after them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from beskar7.api.kinds import CONFIG_MAP, PHYSICAL_HOST
from beskar7.runtime import LiveRuntime, VirtualRuntime
from emulator.kube.api.server import Api, Serving
from emulator.kube.store.store import Store
from emulator.kube.world import furnish, new_store

pytestmark = pytest.mark.e2e

TOKEN = "trap-token"
HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Lab:
    """A served store, and a client of it."""

    def __init__(self, store: Store, api: Api, url: str, http: aiohttp.ClientSession) -> None:
        self.store = store
        self.api = api
        self.url = url
        self.http = http

    async def __call__(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        async with self.http.request(method, self.url + path, json=body, **options) as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return answer.status, found

    async def lines(self, path: str, count: int) -> list[dict[str, Any]]:
        """The first events of a watch."""
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200
            return [json.loads(await answer.content.readline()) for _ in range(count)]


Story = Callable[[Lab], Coroutine[Any, Any, None]]


def tell(story: Story, **bounds: int) -> None:
    async def run() -> None:
        store, collector = furnish(LiveRuntime(), **bounds)
        api = Api(store, collector, token=TOKEN)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with Serving(api) as serving, aiohttp.ClientSession(headers=headers) as http:
            await asyncio.wait_for(story(Lab(store, api, serving.url, http)), 30)

    asyncio.run(run())


def config_map(name: str, value: str = "1", **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}, "data": {"v": value}}


def host(name: str = "h", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "PhysicalHost",
        "metadata": {"name": name, **meta},
        "spec": {
            "redfishConnection": {"address": "http://127.10.0.1", "credentialsSecretRef": "b"}
        },
    }


def test_trap_01_versions_do_not_fall_across_restarts() -> None:
    first, second = VirtualRuntime(seed=1), VirtualRuntime(seed=2)

    def later() -> int:
        second.sleep(60)  # the restart comes a minute later, and the store begins empty
        return new_store(second, crds=[]).resource_version

    busy = new_store(first, crds=[])
    for index in range(50):
        busy.create(CONFIG_MAP, config_map(f"c{index}", namespace="default"))
    assert second.run(later) > busy.resource_version


def test_trap_02_one_counter_and_the_lists_version_is_the_global_one() -> None:
    async def story(lab: Lab) -> None:
        _, made = await lab("POST", MAPS, config_map("a"))
        _, other = await lab("POST", HOSTS, host())
        _, maps = await lab("GET", MAPS)
        versions = [each["metadata"]["resourceVersion"] for each in (made, other, maps)]
        assert [int(version) for version in versions] == sorted(map(int, versions))
        assert versions[2] == versions[1]  # a write of another kind moved it too
        # Commit, log and news are one step: what a list shows was told before it.
        async with lab.http.get(f"{lab.url}{MAPS}?watch=1&resourceVersion={versions[2]}") as watch:
            writes = [lab("POST", MAPS, config_map(f"b{number}")) for number in range(20)]
            answers = await asyncio.gather(*writes)
            seen = [json.loads(await watch.content.readline()) for _ in range(20)]
        told = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
        assert told == sorted(int(body["metadata"]["resourceVersion"]) for _, body in answers)
        assert told == list(range(told[0], told[0] + 20))

    tell(story)


def test_trap_03_selectors_see_what_enters_and_what_leaves() -> None:
    async def story(lab: Lab) -> None:
        await lab("POST", MAPS, config_map("a"))
        _, listed = await lab("GET", MAPS)
        since = listed["metadata"]["resourceVersion"]
        path = f"{MAPS}?watch=1&labelSelector=rack%3Dr1&resourceVersion={since}"
        for rack in ("r1", "r2"):
            patch = {"metadata": {"labels": {"rack": rack}}}
            await lab("PATCH", f"{MAPS}/a", patch, headers=MERGE)
        entered, left = await lab.lines(path, 2)
        assert (entered["type"], left["type"]) == ("ADDED", "DELETED")
        # Shown as it was when it was last selected, under the version of its leaving.
        assert left["object"]["metadata"]["labels"] == {"rack": "r1"}
        newest = (await lab("GET", f"{MAPS}/a"))[1]["metadata"]["resourceVersion"]
        assert left["object"]["metadata"]["resourceVersion"] == newest

    tell(story)


def test_trap_03_a_watch_is_registered_before_its_answer_begins() -> None:
    async def story(lab: Lab) -> None:
        _, listed = await lab("GET", MAPS)
        since = listed["metadata"]["resourceVersion"]
        opening = asyncio.create_task(lab.lines(f"{MAPS}?watch=1&resourceVersion={since}", 30))
        # Written while the watch's head is still on its way.
        await asyncio.gather(*(lab("POST", MAPS, config_map(f"c{n}")) for n in range(30)))
        names = {event["object"]["metadata"]["name"] for event in await opening}
        assert len(names) == 30

    tell(story)


def test_trap_04_gone_is_an_event_in_a_good_answer() -> None:
    async def story(lab: Lab) -> None:
        for number in range(10):
            await lab("POST", MAPS, config_map(f"c{number}"))
        (event,) = await lab.lines(f"{MAPS}?watch=1&resourceVersion=1", 1)
        assert event["type"] == "ERROR"
        status = event["object"]
        assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
        assert "too old resource version" in status["message"]

    tell(story, history=3)


@pytest.mark.parametrize("selector", ["", "&labelSelector=rack%3Dr1"])
def test_trap_05_watch_lists_begin_with_what_exists(selector: str) -> None:
    async def story(lab: Lab) -> None:
        for name, rack in (("a", "r1"), ("b", "r2"), ("c", "r1")):
            await lab("POST", MAPS, config_map(name, labels={"rack": rack}))
        asked = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        count = 2 if selector else 3
        events = await lab.lines(f"{MAPS}?{asked}&allowWatchBookmarks=true{selector}", count + 1)
        assert [event["type"] for event in events] == ["ADDED"] * count + ["BOOKMARK"]
        mark = events[-1]["object"]["metadata"]
        assert mark["annotations"] == {"k8s.io/initial-events-end": "true"}
        _, listed = await lab("GET", MAPS)
        assert mark["resourceVersion"] == listed["metadata"]["resourceVersion"]

    tell(story)


def test_trap_05_watch_lists_are_refused_where_they_make_no_sense() -> None:
    async def story(lab: Lab) -> None:
        for query in ("watch=1&sendInitialEvents=true", "sendInitialEvents=true"):
            code, status = await lab("GET", f"{MAPS}?{query}")
            assert (code, status["reason"]) == (422, "Invalid")
        # Said to be unwanted: the stream begins with the next change.
        asked = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
        await lab("POST", MAPS, config_map("before"))
        async with lab.http.get(f"{lab.url}{MAPS}?{asked}") as watch:
            await lab("POST", MAPS, config_map("after"))
            event = json.loads(await watch.content.readline())
        assert event["object"]["metadata"]["name"] == "after"

    tell(story)


def test_trap_06_status_and_spec_are_split_and_no_ops_are_silent() -> None:
    async def story(lab: Lab) -> None:
        _, made = await lab("POST", HOSTS, {**host(), "status": {"state": "Available"}})
        assert "status" not in made
        assert made["metadata"]["generation"] == 1
        status = {"spec": {"bootIsoSource": "x"}, "status": {"state": "Available"}}
        _, shown = await lab("PATCH", f"{HOSTS}/h/status", status, headers=MERGE)
        assert shown["status"] == {"state": "Available"}
        assert "bootIsoSource" not in shown["spec"]
        assert shown["metadata"]["generation"] == 1
        _, labelled = await lab(
            "PATCH", f"{HOSTS}/h", {"metadata": {"labels": {"a": "b"}}}, headers=MERGE
        )
        assert labelled["metadata"]["generation"] == 1
        change = {"spec": {"bootIsoSource": "http://images/a.iso"}, "status": {"state": "Error"}}
        _, changed = await lab("PATCH", f"{HOSTS}/h", change, headers=MERGE)
        assert changed["metadata"]["generation"] == 2
        assert changed["status"] == {"state": "Available"}
        since = changed["metadata"]["resourceVersion"]
        _, same = await lab("PUT", f"{HOSTS}/h", changed)
        assert same["metadata"]["resourceVersion"] == since
        asyncio.get_running_loop().call_later(
            0.1, lambda: lab.store.delete(PHYSICAL_HOST, "default", "h")
        )
        (event,) = await lab.lines(f"{HOSTS}?watch=1&resourceVersion={since}", 1)
        assert event["type"] == "DELETED"  # nothing came before it

    tell(story)


def test_trap_07_finalizers_hold_until_the_last_is_gone() -> None:
    async def story(lab: Lab) -> None:
        await lab("POST", MAPS, config_map("a", finalizers=["x.io/one", "x.io/two"]))
        code, held = await lab("DELETE", f"{MAPS}/a")
        assert code == 200
        assert held["metadata"]["deletionTimestamp"]
        more = {"metadata": {"finalizers": ["x.io/one", "x.io/two", "x.io/three"]}}
        assert (await lab("PATCH", f"{MAPS}/a", more, headers=MERGE))[0] == 422
        one = {"metadata": {"finalizers": ["x.io/two"]}}
        assert (await lab("PATCH", f"{MAPS}/a", one, headers=MERGE))[0] == 200
        assert (await lab("GET", f"{MAPS}/a"))[0] == 200
        none = {"metadata": {"finalizers": None}}
        assert (await lab("PATCH", f"{MAPS}/a", none, headers=MERGE))[0] == 200
        assert (await lab("GET", f"{MAPS}/a"))[0] == 404

    tell(story)


def test_trap_08_conflicts_have_two_names_and_custom_kinds_their_own_rules() -> None:
    async def story(lab: Lab) -> None:
        _, made = await lab("POST", HOSTS, host())
        code, status = await lab("POST", HOSTS, host())
        assert (code, status["reason"]) == (409, "AlreadyExists")
        label = {"metadata": {"labels": {"a": "b"}}}
        await lab("PATCH", f"{HOSTS}/h", label, headers=MERGE)
        code, status = await lab("PUT", f"{HOSTS}/h", made)
        assert (code, status["reason"]) == (409, "Conflict")
        del made["metadata"]["resourceVersion"]
        code, status = await lab("PUT", f"{HOSTS}/h", made)
        assert (code, status["reason"]) == (422, "Invalid")
        assert "metadata.resourceVersion" in status["message"]
        strategic = {"Content-Type": "application/strategic-merge-patch+json"}
        code, status = await lab("PATCH", f"{HOSTS}/h", label, headers=strategic)
        assert (code, status["reason"]) == (415, "UnsupportedMediaType")
        # A built-in kind may be overwritten, and takes the patch.
        await lab("POST", MAPS, config_map("a"))
        assert (await lab("PUT", f"{MAPS}/a", config_map("a", "2")))[0] == 200
        assert (await lab("PATCH", f"{MAPS}/a", label, headers=strategic))[0] == 200

    tell(story)


def test_trap_09_decode_patch_prune_default_validate_commit() -> None:
    async def story(lab: Lab) -> None:
        sent = host()
        sent["spec"]["redfishConnection"] |= {"insecureSkipVerify": None, "surprise": 1}
        async with lab.http.post(lab.url + HOSTS, json=sent) as answer:
            made = json.loads(await answer.read())
            assert "surprise" in answer.headers["Warning"]
        connection = made["spec"]["redfishConnection"]
        assert "surprise" not in connection  # pruned before anything is checked
        machines = HOSTS.replace("physicalhosts", "beskar7machines")
        machine = {
            "apiVersion": sent["apiVersion"],
            "kind": "Beskar7Machine",
            "metadata": {"name": "m"},
            "spec": {"imageURL": "http://images/a.iso", "osFamily": "kairos"},
        }
        _, made = await lab("POST", machines, machine)
        assert made["spec"]["bootMode"] == "UEFI"  # the default
        # Patched away, the default comes back; validated after that, and nothing is kept of a
        # patch that leads to an invalid object.
        _, again = await lab("PATCH", f"{machines}/m", {"spec": {"bootMode": None}}, headers=MERGE)
        assert again["spec"]["bootMode"] == "UEFI"
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        bad = {"spec": {"osFamily": "hanna", "bootMode": "Legacy"}}
        code, status = await lab("PATCH", f"{machines}/m", bad, headers=MERGE)
        assert (code, status["details"]["causes"][0]["field"]) == (422, "spec.osFamily")
        assert (await lab("GET", f"{machines}/m"))[1] == made

    tell(story)


def test_trap_10_namespaces_empty_themselves_and_dependents_follow_the_owners_uid() -> None:
    async def story(lab: Lab) -> None:
        await lab("POST", "/api/v1/namespaces", {"metadata": {"name": "lab"}})
        inside = "/api/v1/namespaces/lab/configmaps"
        await lab("POST", inside, config_map("held", finalizers=["x.io/hold"]))
        _, going = await lab("DELETE", "/api/v1/namespaces/lab")
        assert going["status"]["phase"] == "Terminating"
        code, status = await lab("POST", inside, config_map("late"))
        assert (code, status["reason"]) == (403, "Forbidden")
        free = {"metadata": {"finalizers": None}}
        await lab("PATCH", f"{inside}/held", free, headers=MERGE)
        assert (await lab("GET", "/api/v1/namespaces/lab"))[0] == 404

        def owned(uid: str) -> dict[str, Any]:
            owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
            return {"ownerReferences": [owner]}

        _, owner = await lab("POST", MAPS, config_map("owner"))
        await lab("POST", MAPS, config_map("child", **owned(owner["metadata"]["uid"])))
        await lab("POST", MAPS, config_map("namesake", **owned("another-uid")))
        await lab("DELETE", f"{MAPS}/owner")
        assert (await lab("GET", f"{MAPS}/child"))[0] == 404

    tell(story)


def test_slow_watchers_are_let_go_and_can_resume() -> None:
    async def story(lab: Lab) -> None:
        lab.api.streams.stalled = 0.3
        _, listed = await lab("GET", MAPS)
        since = listed["metadata"]["resourceVersion"]
        path = f"{MAPS}?watch=1&resourceVersion={since}"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(lab.url.rpartition(":")[2]), limit=1024
        )
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        while not lab.store.history.watching:
            await asyncio.sleep(0.01)
        big = "x" * 200_000  # what the sockets hold in between is soon full
        for number in range(60):
            await lab("POST", MAPS, config_map(f"c{number}", big))
        while lab.store.history.watching:  # the reader takes nothing
            await asyncio.sleep(0.05)
        assert not lab.api.streams.open
        writer.close()
        # Whoever comes back with the last version that it saw misses nothing.
        assert len(await lab.lines(path, 60)) == 60

    tell(story)


def test_discovery_may_be_cached_by_its_hash() -> None:
    """kubectl keeps discovery on disk per host and port: a changed kind changes the documents."""

    async def story(lab: Lab) -> None:
        async def index() -> dict[str, Any]:
            return (await lab("GET", "/openapi/v3"))[1]["paths"]

        before = await index()
        assert await index() == before
        lab.store.registry.unregister("cluster.x-k8s.io", "machinesets")
        after = await index()
        path = "apis/cluster.x-k8s.io/v1beta1"
        assert after[path] != before[path]
        assert after["apis/apps/v1"] == before["apis/apps/v1"]

    tell(story)
