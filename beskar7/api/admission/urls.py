"""URLs in specs: their parts, and how they may be repeated in a message."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_CREDENTIALS = re.compile(r"//[^/?#]*@")
_MAX_SHOWN = 120  # characters of a value that a message repeats


def parse(url: str) -> SplitResult | None:
    """None for what is no URL; its port is one from 1 to 65535, or None."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            return None
    except ValueError:
        return None
    return parts


def shown(url: str) -> str:
    """The URL in quotes, without what may be secret in it: user, password, query."""
    bare = _CREDENTIALS.sub("//...@", url).partition("?")[0]
    cut = f"{bare[:_MAX_SHOWN]}..." if len(bare) > _MAX_SHOWN else bare
    return f'"{cut}"'


def has_credentials(url: str) -> bool:
    return _CREDENTIALS.search(url) is not None


def with_scheme(address: str) -> str:
    """``https://`` before a bare host or IP address; IPv6 gets its brackets."""
    if not address or "://" in address:
        return address
    try:
        bare = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        bare = address
    return f"https://{bare}"


def is_loopback(host: str) -> bool:
    """Nothing that is sent to this host leaves the machine: 127.0.0.0/8, ::1, localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
