"""Caches and leader election over real sockets: a server that dies and comes back, and stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP, LEASE, PHYSICAL_HOST
from beskar7.kube.informers import SharedCaches, WriteThroughKube
from beskar7.kube.leases import LeaderElector
from beskar7.kube.port import Object
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.e2e


def config(name: str) -> Object:
    return {"metadata": {"namespace": "default", "name": name}}


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def names(cache: Any) -> set[str]:
    return {obj["metadata"]["name"] for obj in cache.list("default")}


def test_a_cache_survives_its_server(own_server: Any) -> None:
    runtime = LiveRuntime()
    kube = own_server.lasting_client(request_timeout=2.0)
    caches = SharedCaches(kube, runtime)
    cache = caches.cache(CONFIG_MAP)
    caches.start()
    assert caches.wait_synced(10)
    kube.create(CONFIG_MAP, config("before"))
    assert eventually(lambda: "before" in names(cache))
    own_server.kill()
    # What was known stays readable while the server is away.
    assert "before" in names(cache)
    own_server.restart()
    kube.create(CONFIG_MAP, config("after"))
    assert eventually(lambda: "after" in names(cache), 20)
    assert "before" not in names(cache)
    assert caches.stop(5)


def test_stopping_ends_every_watch_at_once(server: Any) -> None:
    caches = SharedCaches(server.client(), LiveRuntime())
    for kind in (CONFIG_MAP, LEASE, PHYSICAL_HOST):
        caches.cache(kind)
    caches.start()
    assert caches.wait_synced(10)
    time.sleep(0.1)
    start = time.monotonic()
    assert caches.stop(5)
    assert time.monotonic() - start < 1


def test_our_own_writes_are_in_the_cache_when_they_return(server: Any) -> None:
    kube = server.client()
    caches = SharedCaches(kube, LiveRuntime())
    cache = caches.cache(CONFIG_MAP)
    caches.start()
    assert caches.wait_synced(10)
    own = WriteThroughKube(kube, caches, lambda: None)
    for number in range(20):
        created = own.create(CONFIG_MAP, config(f"own-{number}"))
        held = cache.peek("default", f"own-{number}")
        assert held is not None
        assert held["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert caches.stop(5)


def test_leadership_passes_on_when_it_is_given_up_or_the_server_is_lost(own_server: Any) -> None:
    runtime = LiveRuntime()
    kube = own_server.lasting_client(request_timeout=0.5)
    times: dict[str, Any] = {"lease_duration": 2.0, "renew_deadline": 1.2, "retry_period": 0.2}

    def elector(identity: str) -> LeaderElector:
        one = LeaderElector(runtime, kube, "beskar7-system", "test", identity, **times)
        one.start()
        return one

    first = elector("mgr-1")
    assert first.wait_leading(5)
    second = elector("mgr-2")
    assert not second.wait_leading(0.5)
    assert first.stop(5)
    assert second.wait_leading(1)
    assert kube.get(LEASE, "beskar7-system", "test")["spec"]["leaseTransitions"] == 1

    own_server.kill()
    end = second.valid_until()
    assert eventually(lambda: not second.is_leader(), 3)
    assert runtime.now() <= end + 0.1
    own_server.restart()
    # The new server has no lease; whoever knew of one waits for its time to pass.
    assert second.wait_leading(5)
    assert second.stop(5)
