"""Entity tags: what a resource's is, and the conditions that a request may set (RFC 9110)."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from emulator.bmc.redfish import Headers

WRITES = ("PATCH", "PUT", "DELETE")
TAG = "@odata.etag"
VOLATILE = ("DateTime", "BootProgress", TAG)
"""What is no part of a tag, for it changes by itself all the time (DSP0266 6.5).

A client that reads a System, and writes to it with the tag that it got, would else be refused
because the machine boots.
"""


def etag(data: dict[str, Any]) -> str:
    """The strong tag of a resource: a digest of it."""
    return tagged(dict(data))[0]


def tagged(data: dict[str, Any]) -> tuple[str, bytes]:
    """A resource's tag, and its body with the tag in it; ``data`` is used up."""
    rest = {name: data.pop(name) for name in VOLATILE if name in data}
    lasting = orjson.dumps(data)
    rest[TAG] = tag = f'"{hashlib.blake2b(lasting, digest_size=8).hexdigest()}"'
    return tag, lasting[:-1] + (b"," if data else b"") + orjson.dumps(rest)[1:]


def matches(header: str, tag: str, *, weak: bool = False) -> bool:
    """Whether one of the header's tags is ``tag``; ``weak``: as ``If-None-Match`` compares."""
    for given in header.split(","):
        given = given.strip()
        if weak:
            given = given.removeprefix("W/")
        if given in ("*", tag):
            return True
    return False


def fails(headers: Headers, tag: str | None) -> bool:
    """Whether ``If-Match`` or ``If-None-Match`` forbid a write of what now has ``tag``."""
    wanted, unwanted = headers.get("If-Match"), headers.get("If-None-Match")
    if wanted is not None and (tag is None or not matches(wanted, tag)):
        return True
    return unwanted is not None and tag is not None and matches(unwanted, tag, weak=True)
