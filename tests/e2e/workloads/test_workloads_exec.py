"""``exec`` over WebSocket, byte by byte: both protocols, terminals, refusals, clients that go."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

pytestmark = pytest.mark.e2e

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"


def path(lab: Any, *command: str, **flags: str) -> str:
    name = lab.pods()[0]["metadata"]["name"]
    query = [("command", each) for each in command] + list(flags.items())
    where = f"/api/v1/namespaces/beskar7-system/pods/{name}/exec"
    return f"{lab.url}{where}?{urlencode(query)}"


class Exec:
    """One session; gathers what each channel says until the end."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.said: dict[int, bytes] = {}

    async def until(self, channel: int, words: bytes) -> None:
        while words not in self.said.get(channel, b""):
            assert await self.step(), self.said

    async def step(self) -> bool:
        message = await self.socket.receive(timeout=20)
        if message.type is not aiohttp.WSMsgType.BINARY:
            return False
        self.said[message.data[0]] = self.said.get(message.data[0], b"") + message.data[1:]
        return True

    async def end(self) -> dict[str, Any]:
        """The Status in which the session ends."""
        while await self.step():
            pass
        status: dict[str, Any] = json.loads(self.said[3])
        return status


def session(lab: Any, body: Any, *command: str, protocol: str = V5, **flags: str) -> None:
    """Run ``body`` (a coroutine function of an :class:`Exec`) in a session."""

    async def run() -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(
                path(lab, *command, **flags),
                protocols=[protocol],
                headers=lab.authorization,
                ssl=lab.tls,
            ) as socket,
        ):
            assert socket.protocol == protocol
            await body(Exec(socket))

    asyncio.run(run())


@pytest.mark.parametrize("protocol", [V4, V5])
def test_output_and_exit_code(lab, protocol):
    async def body(run: Exec) -> None:
        status = await run.end()
        assert (run.said[1], run.said[2]) == (b"out\n", b"err\n")
        assert status["reason"] == "NonZeroExitCode"
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "4"}]

    command = ("sh", "-c", "echo out; echo err >&2; exit 4")
    session(lab, body, *command, stdout="true", stderr="true", protocol=protocol)


def test_stdin_is_closed_by_v5s_signal(lab):
    async def body(run: Exec) -> None:
        await run.socket.send_bytes(b"\x00one ")
        await run.socket.send_bytes(b"\x00two")
        await run.socket.send_bytes(b"\xff\x00")
        assert (await run.end())["status"] == "Success"
        assert run.said[1] == b"one two"

    session(lab, body, "cat", stdin="true", stdout="true")


def test_a_terminal_has_the_size_that_it_is_given(lab):
    async def body(run: Exec) -> None:
        await run.socket.send_bytes(b'\x04{"Width":91,"Height":17}')
        await run.socket.send_bytes(b"\x04nonsense")
        await run.socket.send_bytes(b"\x00stty size; exit 5\n")
        status = await run.end()
        assert b"17 91" in run.said[1]
        assert status["details"]["causes"][0]["message"] == "5"

    session(lab, body, "sh", stdin="true", stdout="true", tty="true")


def test_a_command_ends_with_its_client(lab, outlives):
    pid = 0

    async def body(run: Exec) -> None:
        nonlocal pid
        await run.until(1, b"\n")
        pid = int(run.said[1])

    session(lab, body, "sh", "-c", "echo $$; exec sleep 600", stdout="true")
    assert not outlives(pid), "the command outlived its client"


def test_nothing_of_the_servers_own_environment_shows(lab):
    async def body(run: Exec) -> None:
        await run.end()
        names = {line.partition(b"=")[0] for line in run.said[1].splitlines()}
        assert {b"PATH", b"POD_NAME", b"POD_IP", b"HOSTNAME"} <= names
        assert not any(b"PYTEST" in name or b"TOKEN" in name for name in names)

    session(lab, body, "env", stdout="true")


async def refused(lab: Any, url: str, **options: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http:
        try:
            async with http.ws_connect(url, ssl=lab.tls, **options):
                return 101, ""
        except aiohttp.WSServerHandshakeError as error:
            return error.status, error.message


def test_nobody_gets_in_without_a_token(lab):
    url = path(lab, "id", stdout="true")
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert asyncio.run(refused(lab, url, protocols=[V5], headers=headers))[0] == 401
    # The way in which browsers send tokens is not served: a web page gets nowhere.
    token = (lab.directory / "token").read_text()
    smuggled = [V5, f"base64url.bearer.authorization.k8s.io.{token}"]
    assert asyncio.run(refused(lab, url, protocols=smuggled))[0] == 401


@pytest.mark.parametrize("protocol", ["base64.channel.k8s.io", "nonsense"])
def test_unknown_protocols_are_refused(lab, protocol):
    url = path(lab, "id", stdout="true")
    code, _ = asyncio.run(refused(lab, url, protocols=[protocol], headers=lab.authorization))
    assert code == 400


def test_requests_that_make_no_sense_are_refused_in_words(lab):
    async def ask(url: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, headers=lab.authorization, ssl=lab.tls) as answer,
        ):
            return answer.status, (await answer.json())["message"]

    code, said = asyncio.run(ask(path(lab, stdout="true")))
    assert (code, "at least 1 command" in said) == (400, True)
    code, said = asyncio.run(ask(path(lab, "id")))
    assert (code, "stdin, stdout, stderr" in said) == (400, True)
    code, said = asyncio.run(ask(path(lab, "id", stdout="true")))
    assert (code, "WebSocket" in said) == (400, True)
    code, said = asyncio.run(ask(path(lab, "id", stdout="true", container="nobody")))
    assert (code, said.startswith("container nobody is not valid")) == (400, True)
