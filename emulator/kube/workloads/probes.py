"""Probes: what a pod asks for, one attempt, and what a row of attempts amounts to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from beskar7.api.objects import Object

_MAX_ANSWER = 10 * 1024  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe of a container; times in seconds."""

    kind: str  # Readiness, Liveness or Startup
    path: str | None  # of an httpGet; None: the port is only connected to
    port: int | str
    delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def read(cls, container: Object, kind: str) -> Probe | None:
        """The ``kind`` of probe that the container has; None without, or of another sort."""
        given: Any = container.get(f"{kind.lower()}Probe")
        if not isinstance(given, dict):
            return None
        http, tcp = given.get("httpGet"), given.get("tcpSocket")
        if http is None and tcp is None:
            return None
        return cls(
            kind,
            (http.get("path") or "/") if http is not None else None,
            (http or tcp or {}).get("port", 0),
            float(given.get("initialDelaySeconds") or 0),
            float(given.get("periodSeconds") or 10),
            float(given.get("timeoutSeconds") or 1),
            int(given.get("successThreshold") or 1),
            int(given.get("failureThreshold") or 3),
        )


class Verdict:
    """What a row of results means: it turns after so many equal results in a row."""

    def __init__(self, probe: Probe, *, healthy: bool) -> None:
        self.healthy = healthy
        self._probe = probe
        self._row = 0
        self._last: bool | None = None

    def observe(self, ok: bool) -> bool:
        """Take in a result; True when the verdict turned (or, failing, is confirmed again)."""
        self._row = self._row + 1 if ok is self._last else 1
        self._last = ok
        if self._row < (self._probe.successes if ok else self._probe.failures):
            return False
        turned = self.healthy is not ok
        self.healthy = ok
        return turned


def target(probe: Probe, container: Object, served: dict[int, str]) -> str:
    """The URL to ask; ``served`` gives the real base URL of a declared port."""
    number = probe.port
    if isinstance(number, str) and not number.isdecimal():
        number = next(
            (
                each.get("containerPort", 0)
                for each in container.get("ports") or ()
                if each.get("name") == number
            ),
            0,
        )
    return served.get(int(number), "")


async def attempt(url: str, path: str | None, timeout: float) -> str:
    """ "" for a success, otherwise what failed, in the kubelet's words."""
    if not url:
        return "the container does not serve this port"
    where = urlsplit(url)
    try:
        async with asyncio.timeout(timeout):
            return await _attempt(where.hostname or "", where.port or 0, path)
    except TimeoutError:
        return f'Get "{url}{path or ""}": context deadline exceeded'
    except (OSError, ValueError) as error:
        brief = getattr(error, "strerror", None) or str(error)
        return f'Get "{url}{path or ""}": {str(brief).lower()}'


async def _attempt(host: str, port: int, path: str | None) -> str:
    reader, writer = await asyncio.open_connection(host, port, limit=_MAX_ANSWER)
    try:
        if path is None:
            return ""
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "User-Agent: kube-probe/1.32\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii", "replace"))
        words = (await reader.readline()).split()
        if len(words) < 2 or not words[1].isdigit():
            return "the answer is not HTTP"
        code = int(words[1])
        return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    finally:
        writer.close()
