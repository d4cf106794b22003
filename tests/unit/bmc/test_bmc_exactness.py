"""What is quick is exact: kept answers, prepared templates and the short way to a view.

Each is compared with the long way, for random histories: no cache, Jinja itself, all of WSGI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sushy_tools.emulator import main

from emulator.bmc import application
from emulator.bmc.application import FleetApplication, install, serve, through_wsgi
from emulator.bmc.call import Call
from emulator.bmc.personalityfile import personalities
from emulator.bmc.redfish import Request, Response
from emulator.bmc.service import Service
from emulator.bmc.templates import NAME, UUIDS, Skeletons

if TYPE_CHECKING:
    from conftest import Client

    from emulator.bmc.bmc import Bmc

pytestmark = pytest.mark.unit
RESETS = ("On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle")
TARGETS = ("None", "Pxe", "Hdd", "Cd", "UsbCd", "UefiHttp")
URLS = st.sampled_from(
    [
        "http://images/a.iso",
        "https://[::1]/b'<&>\".iso",
        *(f"http://x/{uuid}.iso" for uuid in UUIDS),
        f"http://x/{NAME}",
        "http://x/host-001/\u00e4",
    ]
)
VENDORS = st.sampled_from([*personalities()])
STEPS = st.one_of(
    st.tuples(st.just("reset"), st.sampled_from(RESETS)),
    st.tuples(
        st.just("boot"),
        st.fixed_dictionaries(
            {"BootSourceOverrideTarget": st.sampled_from(TARGETS)},
            optional={
                "BootSourceOverrideEnabled": st.sampled_from(["Once", "Continuous", "Disabled"]),
                "BootSourceOverrideMode": st.sampled_from(["UEFI", "Legacy"]),
                "HttpBootUri": st.one_of(st.none(), URLS),
            },
        ),
    ),
    st.tuples(st.just("insert"), URLS),
    st.tuples(st.just("eject"), st.just("")),
    st.tuples(st.just("led"), st.sampled_from(["Lit", "Off", "Blinking"])),
    st.tuples(st.just("tag"), st.sampled_from(["", "rack <4>", *UUIDS])),
    st.tuples(st.just("wait"), st.floats(0.0, 6.0)),
)


def act(client: Client, step: tuple[str, Any]) -> None:
    kind, value = step
    if kind == "wait":
        client.fleet.runtime.sleep(value)
    elif kind == "boot":
        client.boot(**value)
    elif kind in ("led", "tag"):
        name = {"led": "IndicatorLED", "tag": "AssetTag"}[kind]
        client.call("PATCH", client.system, {name: value})
    else:
        {"reset": client.reset, "insert": client.insert, "eject": client.eject}[kind](value)


def links(client: Client) -> list[str]:
    """Every resource that can be reached from the root."""
    found, todo = {"/redfish/v1": None}, ["/redfish/v1"]
    while todo:
        answer = client.call("GET", todo.pop())
        if answer.status != 200 or not answer.body.startswith(b"{"):
            continue
        for path in _references(orjson.loads(answer.body)):
            path = path.partition("#")[0]
            if path.startswith("/redfish/v1") and path not in found:
                found[path] = None
                todo.append(path)
    return list(found)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("@odata.id"), str):
            yield node["@odata.id"]
        for item in node.values():
            yield from _references(item)


def ask(service: Service, bmc: Bmc, method: str, path: str, **headers: str) -> Response:
    token = {"Authorization": f"Basic {bmc.token.decode()}", **headers}
    runtime = bmc.fleet.runtime
    return service.answer(bmc, Request(method, path, token), runtime.now(), runtime.wall())


@contextmanager
def plain_jinja() -> Iterator[None]:
    """Without prepared templates."""
    prepared = FleetApplication.render_template
    FleetApplication.render_template = main.Application.render_template
    try:
        yield
    finally:
        FleetApplication.render_template = prepared


InAWorld = Callable[..., None]


@settings(max_examples=25)
@example(steps=[("reset", "On"), *[("wait", 0.4)] * 12], vendor="hpe")
@given(steps=st.lists(STEPS, max_size=8), vendor=VENDORS)
def test_a_kept_answer_is_the_one_that_would_be_made_now(
    in_a_world: InAWorld, steps: list[tuple[str, Any]], vendor: str
) -> None:
    def body(client: Client) -> None:
        kept = client.fleet.service
        paths = [path for path in links(client) if path.count("/") < 7]
        for step in [("wait", 0.0), *steps]:
            act(client, step)
            client.fleet.settle()
            for path in paths:
                fresh = Service(install())
                wanted = ask(fresh, client.bmc, "GET", path)
                assert ask(kept, client.bmc, "GET", path) == wanted, path
                assert ask(kept, client.bmc, "GET", path) == wanted, path
                head = ask(kept, client.bmc, "HEAD", path)
                assert head == Response(wanted.status, wanted.headers, b""), path
                tag = wanted.headers.get("ETag", '"none"')
                for unless in (tag, f"W/{tag}", '"other"', "*"):
                    assert ask(kept, client.bmc, "GET", path, **{"If-None-Match": unless}) == ask(
                        fresh, client.bmc, "GET", path, **{"If-None-Match": unless}
                    ), path

    in_a_world(body, hosts=2, scale={"latency": 0, "boot": 0.02}, vendors=(vendor,))


@settings(max_examples=25)
@given(steps=st.lists(STEPS, max_size=8), vendor=VENDORS)
def test_prepared_templates_and_the_short_way_give_what_sushy_tools_gives(
    in_a_world: InAWorld,
    steps: list[tuple[str, Any]],
    vendor: str,
) -> None:
    app = install()

    def body(client: Client) -> None:
        paths = [*links(client), "/redfish/v1/Systems/nobody", f"{client.system}/", "/nothing"]
        runtime, bmc = client.fleet.runtime, client.bmc
        for step in [("wait", 0.0), *steps]:
            act(client, step)
            client.fleet.settle()
            for path in paths:
                call = Call(bmc, runtime.now(), runtime.wall())
                quick = serve(app, call, "GET", path, b"", bmc.spec.address)
                with plain_jinja():
                    full = through_wsgi(app, call, "GET", path, b"", bmc.spec.address)
                assert quick == full, path

    in_a_world(body, hosts=2, scale={"latency": 0, "boot": 0.02}, vendors=(vendor,))


def test_reads_take_the_short_way_and_a_template_is_rendered_once_for_all(
    in_a_world: InAWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the comparisons above would compare the long way with itself."""

    def refuse(*_: object) -> Any:
        raise AssertionError("took the long way")

    def body(client: Client) -> None:
        first = client.get(client.system)
        monkeypatch.setattr(application, "through_wsgi", refuse)
        monkeypatch.setattr(main.Application, "render_template", refuse)
        # host-001 and host-005 are of one vendor, and differ in identity only.
        twin = type(client)(client.fleet, "host-005")
        assert twin.get(twin.system)["UUID"] == twin.bmc.uuid != first["UUID"]

    in_a_world(body, hosts=5)


def test_a_stand_in_in_what_a_client_wrote_is_not_mistaken_for_one() -> None:
    skeletons = Skeletons()

    def jinja(template: str, **params: str) -> str:
        return "|".join([template, *params.values()])

    for uri in (*UUIDS, NAME, f"a{NAME}b"):
        for last in "12":
            uuids = (f"5f0e1c5a-0000-4000-8000-00000000000{last}", f"5f0e1c5a-1{last}")
            for uuid in uuids:
                params = {"name": "n", "uuid": uuid, "uri": uri}
                assert skeletons.render(jinja, "t", params, uuids, "n") == f"t|n|{uuid}|{uri}"
