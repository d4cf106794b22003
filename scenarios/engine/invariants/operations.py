"""BMC requests grouped into operations, by the header that the controller sends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from emulator.bmc.log import BmcRecord


@dataclass(frozen=True, slots=True)
class Header:
    """``<kind>:<host>:<consumer uid or ->:<nonce>``; all empty when it does not read so."""

    kind: str = ""
    host: str = ""
    consumer: str = ""
    nonce: str = ""

    @classmethod
    def parse(cls, text: str) -> Header:
        parts = text.split(":")
        if len(parts) != 4 or not all(parts):
            return cls()
        kind, host, consumer, nonce = parts
        return cls(kind, host, "" if consumer == "-" else consumer, nonce)


@dataclass(slots=True)
class Operation:
    """All requests of one operation on one BMC, by start.

    ``start``, ``last`` and ``end`` count its writes only, ``touched`` and ``left`` its reads, too.
    """

    id: str
    host: str
    requests: list[BmcRecord] = field(default_factory=list)

    @property
    def header(self) -> Header:
        return Header.parse(self.id)

    @property
    def manager(self) -> str:
        """Identity of who sent it, as its User-Agent ends."""
        return self.requests[0].agent.rpartition("/")[2]

    @property
    def writes(self) -> list[BmcRecord]:
        return [request for request in self.requests if request.action]

    @property
    def touched(self) -> float:
        return self.requests[0].start

    @property
    def latest(self) -> BmcRecord:
        """The request that ended last."""
        return max(self.requests, key=lambda request: request.end)

    @property
    def left(self) -> float:
        return self.latest.end

    @property
    def start(self) -> float:
        return self.writes[0].start

    @property
    def last(self) -> BmcRecord:
        """The write that ended last."""
        return max(self.writes, key=lambda request: request.end)

    @property
    def end(self) -> float:
        return self.last.end


def group(requests: Iterable[BmcRecord]) -> dict[str, list[Operation]]:
    """The operations on each host that wrote to its BMC, by first write."""
    writers = {
        host: sorted((item for item in found if item.writes), key=lambda item: item.start)
        for host, found in group_all(requests).items()
    }
    return {host: found for host, found in writers.items() if found}


def group_all(requests: Iterable[BmcRecord]) -> dict[str, list[Operation]]:
    """The operations on each host's BMC, reading ones included, by first request.

    A write without a header is an operation of its agent, so that it cannot hide.
    """
    found: dict[tuple[str, str, str], Operation] = {}
    for request in sorted(requests, key=lambda r: (r.start, r.seq)):
        if not request.operation and not request.action:
            continue
        id = request.operation or f"(none) {request.agent}"
        # Two managers never share an operation, should their random nonces ever agree.
        key = (request.host, id, request.agent)
        found.setdefault(key, Operation(id, request.host)).requests.append(request)
    hosts: dict[str, list[Operation]] = {}
    for operation in found.values():
        hosts.setdefault(operation.host, []).append(operation)
    return hosts
