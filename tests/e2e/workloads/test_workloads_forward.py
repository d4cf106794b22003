"""``port-forward`` over WebSocket: the official client's, and byte by byte."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import aiohttp
import pytest
from kubernetes import config
from kubernetes.client import CoreV1Api
from kubernetes.stream import portforward

from emulator.kube.workloads.images import METRICS_PORT, PROBES_PORT

pytestmark = pytest.mark.e2e

V4 = "v4.channel.k8s.io"
NOBODYS = 1  # a port on which nothing listens


def name(lab: Any) -> str:
    found: str = lab.pods()[0]["metadata"]["name"]
    return found


def url(lab: Any, query: str) -> str:
    return f"{lab.url}/api/v1/namespaces/beskar7-system/pods/{name(lab)}/portforward{query}"


def test_the_official_client_reads_a_pods_metrics_through_the_api(lab: Any) -> None:
    untyped: Any = config
    api = untyped.new_client_from_config(str(lab.directory / "kubeconfig"))
    try:
        method: Any = CoreV1Api(api).connect_get_namespaced_pod_portforward
        forward: Any = portforward
        ports = f"{METRICS_PORT},{PROBES_PORT}"
        answers = []
        for port, path in ((METRICS_PORT, "metrics"), (PROBES_PORT, "healthz")):
            both = forward(method, name(lab), "beskar7-system", ports=ports)
            sock = both.socket(port)
            sock.settimeout(20)
            sock.sendall(f"GET /{path} HTTP/1.0\r\nHost: pod\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
            answers.append(answer)
            assert both.error(port) is None
        assert b"beskar7_" in answers[0]
        assert answers[1].endswith(b"ok\n")
    finally:
        api.close()


def session(lab: Any, query: str, body: Any) -> None:
    async def run() -> None:
        headers = lab.authorization
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(
                url(lab, query), protocols=[V4], headers=headers, ssl=lab.tls
            ) as socket,
        ):
            await body(socket)

    asyncio.run(run())


def test_a_port_on_which_nobody_listens_is_told_on_its_error_channel(lab: Any) -> None:
    async def body(socket: aiohttp.ClientWebSocketResponse) -> None:
        port = struct.pack("<H", NOBODYS)
        assert (await socket.receive_bytes(timeout=20)) == b"\0" + port
        assert (await socket.receive_bytes(timeout=20)) == b"\1" + port
        said = await socket.receive_bytes(timeout=20)
        assert said.startswith(b"\1error forwarding port 1 to pod beskar7-system/")
        assert said.endswith(b"connection refused") or b"connect" in said
        assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE

    session(lab, f"?ports={NOBODYS}", body)


def test_the_session_ends_with_its_client_and_its_connections_too(lab: Any) -> None:
    """More sessions one after the other than may be open at once."""

    async def body(socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.receive_bytes(timeout=20)

    for _ in range(70):
        session(lab, f"?ports={PROBES_PORT}", body)


async def refused(lab: Any, query: str, protocol: str) -> tuple[int, str]:
    headers = {
        **lab.authorization,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": protocol,
    }
    async with (
        aiohttp.ClientSession() as http,
        http.get(url(lab, query), headers=headers, ssl=lab.tls) as answer,
    ):
        return answer.status, (await answer.json())["message"]


@pytest.mark.parametrize(
    ("query", "protocol", "said"),
    [
        ("?ports=8080", "SPDY/3.1+portforward.k8s.io", "kubectl needs SPDY"),
        ("", V4, '"ports" is required'),
        ("?ports=0", V4, '"0" is not a port'),
        ("?ports=65536", V4, '"65536" is not a port'),
        ("?ports=8080,x", V4, '"x" is not a port'),
        ("?ports=" + "8080," * 17, V4, "at most 16"),
    ],
)
def test_what_cannot_be_is_refused_in_words(lab: Any, query: str, protocol: str, said: str) -> None:
    code, message = asyncio.run(refused(lab, query, protocol))
    assert code == 400
    assert said in message
