"""The manager's pages over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from beskar7.runtime import LiveRuntime
from beskar7.serving import AddressError, Query, Server, parse_address, plain

pytestmark = pytest.mark.e2e


def echo(query: Query) -> object:
    return plain(f"{sorted(query.items())}")


def broken(query: Query) -> object:
    raise RuntimeError("a secret detail")


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server(
        "127.0.0.1:0",
        {"/page": echo, "/debug/page": echo, "/broken": broken},  # type: ignore[dict-item] # Answer
    )
    served.start(LiveRuntime())
    yield served
    served.shutdown()
    served.server_close()


def get(server: Server, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{server.port}{path}", timeout=5)


def test_pages_get_their_query_and_bad_ones_are_refused(server: Server) -> None:
    assert get(server, "/page?debug=1&seconds=2").text == "[('debug', '1'), ('seconds', '2')]"
    assert get(server, "/other").status_code == 404
    assert get(server, "/page?" + "&".join(f"a{n}=1" for n in range(40))).status_code == 400
    failed = get(server, "/broken")
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert get(server, "/page").status_code == 200


def test_the_programs_inside_is_shown_to_this_machine_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(server, "/debug/page").status_code == 200
    monkeypatch.setattr("beskar7.serving._Handler._is_local", lambda _: False)
    refused = get(server, "/debug/page")
    assert refused.status_code == 403
    assert "port-forward" in refused.text
    assert get(server, "/page").status_code == 200


def test_a_taken_address_is_a_clear_error(server: Server) -> None:
    with pytest.raises(AddressError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        Server(f"127.0.0.1:{server.port}", {})
    with pytest.raises(AddressError, match="write for example"):
        parse_address("8080x")


def test_a_client_that_says_nothing_does_not_hold_up_others(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server, "/page").status_code == 200
