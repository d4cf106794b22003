"""The protocol around the resources: entrance, headers, entity tags, queries, refusals."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from emulator.bmc import etags
from emulator.bmc.services.entrance import SCHEMAS
from emulator.bmc.services.messages import BASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Client

    from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.unit


def messages(body: bytes) -> list[str]:
    info = orjson.loads(body)["error"]["@Message.ExtendedInfo"]
    return [entry["MessageId"].rpartition(".")[2] for entry in info]


@pytest.mark.parametrize("path", ["/redfish", "/redfish/v1", "/redfish/v1/", "/redfish/v1/odata"])
def test_the_entrance_needs_no_credentials(client: Client, path: str) -> None:
    client.headers = {}
    answer = client.call("GET", path)
    assert answer.status == 200
    assert answer.headers["OData-Version"] == "4.0"
    assert "GET" in answer.headers["Allow"]


def test_the_service_document_leads_everywhere(client: Client) -> None:
    urls = {entry["url"] for entry in client.get("/redfish/v1/odata")["value"]}
    assert "/redfish/v1/Systems" in urls
    for url in urls:
        assert client.call("GET", url).status == 200, url


def test_metadata_names_every_schema_that_is_served(client: Client) -> None:
    client.headers, credentials = {}, client.headers
    answer = client.call("GET", "/redfish/v1/$metadata")
    assert answer.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(answer.body)
    known = {node.get("Namespace") for node in root.iter() if node.tag.endswith("}Include")}
    client.headers = credentials
    for path, data in crawl(client).items():
        kind = data["@odata.type"].lstrip("#").rpartition(".")[0] or data["@odata.type"]
        assert kind in known or kind.partition(".")[0] in SCHEMAS, path
        assert kind in known, f"{path}: {kind}"


def crawl(client: Client) -> dict[str, dict[str, Any]]:
    """Every resource that the service root leads to."""
    found: dict[str, dict[str, Any]] = {}
    todo = ["/redfish/v1/"]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        answer = client.call("GET", path)
        assert answer.status == 200, (path, answer)
        found[path] = orjson.loads(answer.body)
        text = answer.body.decode()
        links = re.findall(r'"(?:@odata\.id|Uri|@Redfish\.ActionInfo)":"(/[^"#]*)', text)
        todo += [link for link in links if link not in found]
    return found


def test_every_link_leads_somewhere_and_every_resource_knows_its_place(client: Client) -> None:
    found = crawl(client)
    assert len(found) > 60
    for path, data in found.items():
        assert data["@odata.id"].rstrip("/") == path.rstrip("/")
        assert data["@odata.etag"].startswith('"')


def test_a_method_that_is_not_allowed_is_refused_with_those_that_are(client: Client) -> None:
    for path in ("/redfish/v1/", client.system, "/redfish/v1/SessionService"):
        answer = client.call("DELETE", path)
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
        assert "DELETE" not in answer.headers["Allow"]
        assert messages(answer.body) == ["OperationNotAllowed"]


def test_what_is_not_there_is_a_redfish_error(client: Client) -> None:
    answer = client.call("GET", "/redfish/v1/Nowhere")
    assert (answer.status, messages(answer.body)) == (404, ["ResourceMissingAtURI"])
    assert {"GeneralError", "ResourceMissingAtURI"} <= set(BASE)


@pytest.mark.parametrize(("version", "status"), [("4.0", 200), ("4.1", 412), ("nonsense", 412)])
def test_another_odata_version_is_refused(client: Client, version: str, status: int) -> None:
    client.headers["OData-Version"] = version
    assert client.call("GET", client.system).status == status


def test_the_tag_of_a_resource_changes_with_it_and_only_then(client: Client) -> None:
    def tag() -> str:
        return client.call("GET", client.system).headers["ETag"]

    first = tag()
    assert tag() == first == client.get(client.system)["@odata.etag"]
    client.boot(BootSourceOverrideTarget="Pxe", BootSourceOverrideEnabled="Once")
    second = tag()
    assert second != first
    client.boot(BootSourceOverrideTarget="None", BootSourceOverrideEnabled="Disabled")
    assert tag() == first


def test_a_write_with_an_old_tag_changes_nothing(client: Client) -> None:
    old = client.call("GET", client.system).headers["ETag"]
    client.call("PATCH", client.system, {"AssetTag": "first"})
    client.headers["If-Match"] = old
    answer = client.call("PATCH", client.system, {"AssetTag": "second"})
    assert (answer.status, messages(answer.body)) == (412, ["PreconditionFailed"])
    client.headers.pop("If-Match")
    now = client.call("GET", client.system)
    assert orjson.loads(now.body)["AssetTag"] == "first"
    client.headers["If-Match"] = f'"other", {now.headers["ETag"]}'
    assert client.call("PATCH", client.system, {"AssetTag": "third"}).status == 204


def test_a_bmc_that_wants_a_tag_says_so(quirky: Callable[..., Client]) -> None:
    client = quirky("quirks: {etag_required: {value: true}}")
    answer = client.call("PATCH", client.system, {"AssetTag": "x"})
    assert (answer.status, messages(answer.body)) == (428, ["PreconditionRequired"])
    client.headers["If-Match"] = "*"
    assert client.call("PATCH", client.system, {"AssetTag": "x"}).status == 204


def test_what_a_client_has_is_not_sent_again(client: Client) -> None:
    path = f"{client.media}/{client.disc}"
    tag = client.call("GET", path).headers["ETag"]
    client.headers["If-None-Match"] = f"W/{tag}"
    answer = client.call("GET", path)
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    client.insert("http://images/x.iso")
    assert client.call("GET", path).status == 200


def test_a_boot_spoils_no_tag_and_is_always_shown(client: Client, virtual: VirtualRuntime) -> None:
    def main() -> None:
        client.reset("On")
        virtual.sleep(0.5)
        first = client.call("GET", client.system)
        client.headers["If-None-Match"] = client.headers["If-Match"] = first.headers["ETag"]
        virtual.sleep(2.0)
        second = client.call("GET", client.system)
        assert second.status == 200
        progress = [orjson.loads(one.body)["BootProgress"] for one in (first, second)]
        assert progress[0] != progress[1]
        del client.headers["If-None-Match"]
        assert client.call("PATCH", client.system, {"AssetTag": "x"}).status == 204

    virtual.run(main)


@pytest.mark.parametrize(
    ("header", "tag", "weak", "expected"),
    [
        ('"a"', '"a"', False, True),
        ('W/"a"', '"a"', False, False),
        ('W/"a"', '"a"', True, True),
        ('"b", "a"', '"a"', False, True),
        ("*", '"a"', False, True),
        ('"b"', '"a"', True, False),
        ("", '"a"', False, False),
    ],
)
def test_tags_are_compared_as_http_says(header: str, tag: str, weak: bool, expected: bool) -> None:
    assert etags.matches(header, tag, weak=weak) is expected


def test_expand_brings_the_members_along(client: Client) -> None:
    found = client.get("/redfish/v1/Systems?$expand=.")
    assert found["Members"][0]["PowerState"] == "Off"
    assert set(found["Members"][0]["Processors"]) == {"@odata.id"}
    deeper = client.get("/redfish/v1/Systems?$expand=.($levels=2)")
    assert deeper["Members"][0]["Processors"]["Members@odata.count"] == 2
    assert set(deeper["Members"][0]["Links"]["ManagedBy"][0]) == {"@odata.id"}
    links = client.get(f"{client.system}?$expand=~")
    assert links["Links"]["ManagedBy"][0]["ManagerType"] == "BMC"
    assert set(links["Processors"]) == {"@odata.id"}


def test_select_top_skip_and_only(client: Client) -> None:
    chosen = client.get(f"{client.system}?$select=PowerState,Boot/BootSourceOverrideTarget")
    assert {name for name in chosen if not name.startswith("@odata.")} == {"PowerState", "Boot"}
    assert chosen["Boot"] == {"BootSourceOverrideTarget": "None"}
    assert chosen["@odata.etag"] == client.get(client.system)["@odata.etag"]
    memory = f"{client.system}/Memory"
    page = client.get(f"{memory}?$skip=1&$top=2")
    assert [m["@odata.id"][-5:] for m in page["Members"]] == ["DIMM1", "DIMM2"]
    assert page["Members@odata.count"] == 8
    assert client.get("/redfish/v1/Systems?only")["UUID"] == client.bmc.uuid
    assert len(client.get(f"{memory}?only")["Members"]) == 8


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$expand=x", 400),
        ("$expand=.($levels=0)", 400),
        ("$expand=.($levels=9)", 400),
        ("$top=-1", 400),
        ("$top=1", 400),
        ("only=foo", 400),
        ("$select=", 400),
        ("$filter=Name%20eq%201", 501),
        ("$rubbish=1", 501),
        ("rubbish=1", 200),
    ],
)
def test_queries_that_make_no_sense_are_refused(client: Client, query: str, status: int) -> None:
    assert client.call("GET", f"{client.system}?{query}").status == status


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, ["MalformedJSON"]),
        (b"{}", 400, ["NoOperation"]),
        ({"@odata.id": "/"}, 400, ["NoOperation"]),
        ({"Bogus": 1}, 400, ["PropertyUnknown"]),
        ({"PowerState": "On"}, 400, ["PropertyNotWritable"]),
        ({"AssetTag": 7}, 400, ["PropertyValueTypeError"]),
        ({"IndicatorLED": "Green"}, 400, ["PropertyValueNotInList"]),
    ],
)
def test_a_patch_that_cannot_be_is_refused(
    client: Client, body: Any, status: int, said: list[str]
) -> None:
    before = client.get(client.system)
    answer = client.call("PATCH", client.system, body)
    assert (answer.status, messages(answer.body)) == (status, said)
    assert client.get(client.system) == before


def test_a_patch_in_part_says_what_it_left_out(client: Client) -> None:
    answer = client.call("PATCH", client.system, {"AssetTag": "x", "Bogus": 1})
    assert answer.status == 200
    data = orjson.loads(answer.body)
    assert data["AssetTag"] == "x"
    assert data["Bogus@Message.ExtendedInfo"][0]["MessageId"].endswith("PropertyUnknown")
    assert "@Message.ExtendedInfo" not in client.get(client.system)


def test_a_bad_value_keeps_the_good_ones_from_being_set(client: Client) -> None:
    assert client.call("PATCH", client.system, {"AssetTag": "x", "IndicatorLED": "?"}).status == 400
    assert client.get(client.system)["AssetTag"] == ""


def test_kept_answers_hold_exactly_until_the_clock_changes_them(
    client: Client, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        client.reset("On")
        service = client.fleet.service
        for _ in range(400):
            path = client.system
            shown = client.get(path)
            service._rendered.clear()
            assert client.get(path) == shown
            virtual.sleep(0.013)

    virtual.run(main, until=100.0)
