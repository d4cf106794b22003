"""Faults of the API over HTTP: what a real client sees, and the endpoint that sets them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from beskar7.api.errors import ApiError, Conflict, Expired, ServiceUnavailable, TooManyRequests
from beskar7.api.kinds import CONFIG_MAP
from beskar7.kube.client import KubeClient
from beskar7.kube.reflector import Reflector
from beskar7.runtime import LiveRuntime
from emulator.kube.faults.control import ApiControl, ApiControlError

pytestmark = pytest.mark.e2e

ME, OTHER = "beskar7-manager/a", "kubectl/v1"
FAST = 2.0  # seconds within which anything not held up is over


@pytest.fixture
def control(server: Any) -> Iterator[ApiControl]:
    control = ApiControl.of(server.directory)
    yield control
    control.clear_faults()
    control.close()


@pytest.fixture
def client(server: Any) -> Iterator[Callable[..., KubeClient]]:
    made: list[KubeClient] = []

    def make(agent: str = ME, timeout: float = 5.0) -> KubeClient:
        made.append(
            KubeClient.from_kubeconfig(
                server.directory / "kubeconfig", user_agent=agent, request_timeout=timeout
            )
        )
        return made[-1]

    yield make
    for kube in made:
        kube.close()


@pytest.fixture
def name(client: Callable[..., KubeClient], request: pytest.FixtureRequest) -> str:
    """A ConfigMap of this test's own."""
    name = "f-" + "".join(c if c.isalnum() else "-" for c in request.node.name).strip("-").lower()
    client(OTHER).create(CONFIG_MAP, config_map(name))
    return name


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}, "data": data}


def fault(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": kind, "kind": kind, "select": {"clients": [ME]}, **fields}


def timed(call: Callable[[], Any]) -> tuple[float, ApiError | None]:
    begun = time.monotonic()
    try:
        call()
    except ApiError as error:
        return time.monotonic() - begun, error
    return time.monotonic() - begun, None


def test_latency(client: Any, control: ApiControl, name: str) -> None:
    control.add_fault(fault("latency", latency={"mean": 0.5}))
    kube = client()
    took, error = timed(lambda: kube.get(CONFIG_MAP, "default", name))
    assert 0.5 <= took < 0.5 + FAST
    assert error is None
    took, _ = timed(lambda: client(OTHER).get(CONFIG_MAP, "default", name))
    assert took < 0.5


@pytest.mark.parametrize("perform", [False, True])
def test_errors_and_retry_after(client: Any, control: ApiControl, name: str, perform: bool) -> None:
    kube = client()
    control.add_fault(
        fault("error", status=429, retry_after=3, count=1, perform=perform)
        | {"select": {"clients": [ME], "verbs": ["patch"], "kinds": ["ConfigMap"]}}
    )
    kube.get(CONFIG_MAP, "default", name)
    with pytest.raises(TooManyRequests) as caught:
        kube.patch(CONFIG_MAP, "default", name, {"data": {"a": "1"}})
    assert caught.value.details["retryAfterSeconds"] == 3
    found = kube.get(CONFIG_MAP, "default", name)
    assert found.get("data", {}) == ({"a": "1"} if perform else {})
    kube.patch(CONFIG_MAP, "default", name, {"data": {"b": "1"}})
    assert control.faults()[0]["hits"] == 1


def test_a_conflict_is_one_that_clients_know(client: Any, control: ApiControl, name: str) -> None:
    kube = client()
    found = kube.get(CONFIG_MAP, "default", name)
    control.add_fault(fault("error", status=409, count=1))
    with pytest.raises(Conflict, match="the object has been modified"):
        kube.update(CONFIG_MAP, found)
    kube.update(CONFIG_MAP, found)


def test_the_wire_says_what_the_fault_says(server: Any, control: ApiControl) -> None:
    control.add_fault({"id": "e", "kind": "error", "status": 500, "select": {"clients": ["e2e/*"]}})
    answer = server.session.get(f"{server.url}/api/v1/namespaces/default/configmaps")
    assert answer.status_code == 500
    assert answer.json()["reason"] == "InternalError"
    assert answer.json()["kind"] == "Status"


def test_a_reset_is_a_reset(server: Any, client: Any, control: ApiControl, name: str) -> None:
    control.add_fault(fault("reset", count=1))
    took, error = timed(lambda: client().get(CONFIG_MAP, "default", name))
    assert took < FAST
    assert isinstance(error, ServiceUnavailable)
    control.clear_faults()
    control.add_fault({"id": "r", "kind": "reset", "select": {"clients": ["e2e/*"]}})
    with pytest.raises(requests.ConnectionError):
        server.session.get(f"{server.url}/api/v1/namespaces")


def test_a_hang_lasts_until_it_ends(client: Any, control: ApiControl, name: str) -> None:
    control.add_fault(fault("hang", duration=1.0))
    took, error = timed(lambda: client().get(CONFIG_MAP, "default", name))
    assert 0.8 <= took < 1 + FAST
    assert isinstance(error, ServiceUnavailable)
    control.clear_faults()
    control.add_fault(fault("hang"))
    took, error = timed(lambda: client(timeout=0.5).get(CONFIG_MAP, "default", name))
    assert 0.5 <= took < 0.5 + FAST
    assert "no answer in time" in str(error)


@pytest.mark.parametrize("direction", ["calls", "answers"])
def test_a_loss_lasts_until_the_client_gives_up(
    client: Any, control: ApiControl, direction: str
) -> None:
    control.add_fault(fault("loss", direction=direction, count=1))
    made = config_map(f"lost-{direction}")
    took, error = timed(lambda: client(timeout=0.5).create(CONFIG_MAP, made))
    assert 0.5 <= took < 0.5 + FAST
    assert "no answer in time" in str(error)
    names = [item["metadata"]["name"] for item in client().list(CONFIG_MAP, "default").items]
    assert (f"lost-{direction}" in names) is (direction == "answers")


def test_a_call_arrives_after_its_client_gave_up(client: Any, control: ApiControl) -> None:
    watching = Watching(client(OTHER), client(OTHER).list(CONFIG_MAP, "default").resource_version)
    control.add_fault(fault("delay", direction="calls", latency={"mean": 1.0}))
    took, error = timed(lambda: client(timeout=0.3).create(CONFIG_MAP, config_map("late")))
    assert took < 0.9
    assert "no answer in time" in str(error)
    assert watching.seen == []
    until(lambda: watching.seen == ["late"])
    watching.stop()


def test_a_slow_network_delays_what_watches_tell(client: Any, control: ApiControl) -> None:
    version = client(OTHER).list(CONFIG_MAP, "default").resource_version
    mine, other = Watching(client(), version), Watching(client(OTHER), version)
    control.add_fault(fault("delay", direction="answers", latency={"mean": 1.0}))
    begun = time.monotonic()
    client(OTHER).create(CONFIG_MAP, config_map("slow"))
    until(lambda: other.seen == ["slow"])
    assert mine.seen == []
    until(lambda: mine.seen == ["slow"])
    assert time.monotonic() - begun >= 0.9
    mine.stop()
    other.stop()


class Watching:
    """A watch in a task of its own."""

    def __init__(self, kube: KubeClient, version: str) -> None:
        self.seen: list[str] = []
        self.ended: list[str] = []
        self._stream = kube.watch(CONFIG_MAP, "default", resource_version=version, timeout=60)
        self._task = LiveRuntime().spawn(self._run, name="watch")

    def _run(self) -> None:
        try:
            for event in self._stream:
                self.seen.append(event.object["metadata"].get("name", event.type))
            self.ended.append("end")
        except ApiError as error:
            self.ended.append(error.reason)

    def stop(self) -> None:
        self._stream.close()
        assert self._task.join(10)


def until(condition: Callable[[], Any], limit: float = 10.0) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def test_watches_are_dropped(client: Any, control: ApiControl) -> None:
    version = client(OTHER).list(CONFIG_MAP, "default").resource_version
    mine, other = Watching(client(), version), Watching(client(OTHER), version)
    control.add_fault(fault("drop-watch", duration=0.5))
    until(lambda: mine.ended)
    assert mine.ended == ["ServiceUnavailable"]
    client(OTHER).create(CONFIG_MAP, config_map("dropped"))
    until(lambda: other.seen == ["dropped"])
    until(lambda: not control.faults()[0]["active"])
    again = Watching(client(), version)
    until(lambda: again.seen == ["dropped"])
    for watching in (mine, other, again):
        watching.stop()


def test_events_are_lost(client: Any, control: ApiControl) -> None:
    version = client(OTHER).list(CONFIG_MAP, "default").resource_version
    mine, other = Watching(client(), version), Watching(client(OTHER), version)
    control.add_fault(fault("lose-event", select={"clients": [ME], "names": ["lost-*"]}))
    for name in ("told-1", "lost-1", "told-2"):
        client(OTHER).create(CONFIG_MAP, config_map(name))
    until(lambda: len(other.seen) == 3)
    until(lambda: len(mine.seen) == 2)
    assert mine.seen == ["told-1", "told-2"]
    mine.stop()
    other.stop()


def test_a_stale_list(client: Any, control: ApiControl) -> None:
    kube = client()
    before = kube.list(CONFIG_MAP, "default")
    kube.create(CONFIG_MAP, config_map("too-new"))
    control.add_fault(fault("stale-list", age=3600))
    stale = kube.list(CONFIG_MAP, "default")
    assert "too-new" not in [item["metadata"]["name"] for item in stale.items]
    assert int(stale.resource_version) <= int(before.resource_version)
    assert kube.get(CONFIG_MAP, "default", "too-new")
    watching = Watching(kube, stale.resource_version)
    until(lambda: "too-new" in watching.seen)
    watching.stop()


def test_a_partition_is_between_one_client_and_the_server(client: Any, control: ApiControl) -> None:
    version = client(OTHER).list(CONFIG_MAP, "default").resource_version
    mine, other = Watching(client(), version), Watching(client(OTHER), version)
    control.add_fault(fault("partition"))
    client(OTHER).create(CONFIG_MAP, config_map("behind"))
    until(lambda: other.seen == ["behind"])
    took, error = timed(lambda: client(timeout=0.5).list(CONFIG_MAP))
    assert took >= 0.5
    assert isinstance(error, ServiceUnavailable)
    assert mine.seen == []
    assert mine.ended == []
    control.clear_faults()
    until(lambda: mine.ended == ["ServiceUnavailable"])
    assert mine.seen == []
    mine.stop()
    other.stop()


def test_a_restart_is_survived_by_a_reflector(client: Any, control: ApiControl) -> None:
    kube = client()
    made = kube.create(CONFIG_MAP, config_map("before-restart"))
    reflector = Reflector(kube, LiveRuntime(), CONFIG_MAP, "default")
    reflector.start()
    assert reflector.wait_synced(10)
    lists = reflector.lists
    control.add_fault(fault("restart", duration=0.5))
    took, error = timed(lambda: client().list(CONFIG_MAP))
    assert isinstance(error, ServiceUnavailable)
    assert took < FAST
    until(lambda: not control.faults()[0]["active"])
    version = made["metadata"]["resourceVersion"]
    with pytest.raises(Expired):
        next(iter(kube.watch(CONFIG_MAP, "default", resource_version=version, timeout=5)))
    kube.create(CONFIG_MAP, config_map("after-restart"))
    until(lambda: reflector.cache.get("default", "after-restart"), 20)
    assert reflector.lists > lists
    reflector.stop()


def test_the_endpoint(server: Any, control: ApiControl) -> None:
    assert control.faults() == []
    ids = control.add_faults([fault("hang")])
    assert ids == ["hang"]
    (told,) = control.faults()
    assert told["kind"] == "hang"
    assert told["target"] == "api"
    assert told["active"] is True
    assert told["hits"] == 0
    with pytest.raises(ApiControlError, match=r"faults\[1\]\.kind: must be one of"):
        control.add_faults([fault("drop-watch"), {"id": "x", "kind": "nonsense"}])
    assert [entry["id"] for entry in control.faults()] == ["hang"]  # all or none
    with pytest.raises(ApiControlError, match="no fault 'nobody'"):
        control.clear_fault("nobody")
    control.clear_fault("hang")
    assert control.clear_faults() == 0
    url = f"{server.url}/lab/faults"
    assert server.session.post(url, data=b"{").status_code == 400
    assert server.session.put(url, json={}).status_code == 405
    certificate = str(server.directory / "ca.crt")
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.get(url, headers=headers, verify=certificate, timeout=10)
        assert answer.status_code in (401, 403)
