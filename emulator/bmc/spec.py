"""What a fleet is made of: hosts, faults, credentials; checked before anything starts."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator import fields as f
from emulator.bmc.personality import Family
from emulator.bmc.personalityfile import load, personalities
from emulator.faultspec import Fault, Target
from emulator.fields import FieldError

MAX_HOSTS = 20_000
MAX_TLS_HOSTS = 1000
"""The certificate lists each address, and is sent with each handshake."""
DEFAULT_BOOT_SCALE = 0.02
"""A lab's boot: what takes a real machine 200 s takes 4 s (so that a demonstration ends)."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SPEC_FIELDS = ("seed", "port", "tls", "hosts", "faults", "scale", "personalities")
_HOST_FIELDS = (
    *("name", "address", "vendor", "firmware", "rack", "labels", "cores", "memory_gib", "power"),
)


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One server and its BMC. ``cores`` and ``memory_gib`` default to the vendor's.

    ``firmware`` is one of the vendor's; empty: the one that the host's name falls on.
    """

    name: str
    address: str
    vendor: str = "generic"
    rack: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    cores: int = 0
    memory_gib: int = 0
    power: str = "Off"
    firmware: str = ""

    def target(self, firmware: str) -> Target:
        """As faults select it; ``firmware`` is the version that its BMC runs."""
        return Target(self.name, self.rack, self.vendor, firmware, self.labels)

    @classmethod
    def from_dict(cls, data: object, where: str, known: Mapping[str, Family]) -> HostSpec:
        fields = f.mapping(data, where, _HOST_FIELDS)
        for required in ("name", "address"):
            if required not in fields:
                raise FieldError(f"{where}.{required}: missing")
        name = f.text(fields["name"], f"{where}.name")
        if not _NAME.fullmatch(name):
            raise FieldError(
                f"{where}.name: must be lower-case letters, digits, '-' and '.', not {name!r}"
            )
        vendor = f.choice(fields.get("vendor", "generic"), f"{where}.vendor", [*known])
        family, firmware = known[vendor], fields.get("firmware")
        if firmware is not None:
            f.choice(firmware, f"{where}.firmware", family.versions)
        personality = family.of(name, firmware or "")
        cores, memory = fields.get("cores"), fields.get("memory_gib")
        return cls(
            name=name,
            address=_loopback(fields["address"], f"{where}.address"),
            vendor=vendor,
            rack=f.text(fields["rack"], f"{where}.rack") if fields.get("rack") else "",
            labels=f.labels(fields.get("labels") or {}, f"{where}.labels"),
            cores=personality.cores if cores is None else f.whole(cores, f"{where}.cores", 1, 4096),
            memory_gib=personality.memory_gib
            if memory is None
            else f.whole(memory, f"{where}.memory_gib", 1, 65_536),
            power=f.choice(fields.get("power", "Off"), f"{where}.power", ("On", "Off")),
            firmware=personality.bmc_firmware,
        )


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """A fleet. ``boot_scale`` and ``latency_scale`` shorten the vendors' times (1: real ones).

    ``personalities`` are those that hosts may have, by vendor.
    """

    hosts: tuple[HostSpec, ...]
    seed: int = 0
    port: int = 0
    tls: bool = False
    faults: tuple[Fault, ...] = ()
    boot_scale: float = DEFAULT_BOOT_SCALE
    latency_scale: float = 1.0
    personalities: Mapping[str, Family] = field(default_factory=personalities)

    @classmethod
    def from_dict(cls, data: object, folder: Path = Path()) -> FleetSpec:
        """Raises :class:`emulator.fields.FieldError` with the field and what it may hold.

        Paths of ``personalities`` (files, or folders of them) are relative to ``folder``.
        """
        fields = f.mapping(data, "spec", _SPEC_FIELDS)
        entries = fields.get("hosts")
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_HOSTS:
            raise FieldError(f"spec.hosts: must be a list of 1 to {MAX_HOSTS} hosts")
        known: Mapping[str, Family] = personalities()
        for place in f.texts(fields.get("personalities", ()), "spec.personalities"):
            known = load(folder / place, known)
        hosts = tuple(
            HostSpec.from_dict(item, f"spec.hosts[{i}]", known) for i, item in enumerate(entries)
        )
        _unique([host.name for host in hosts], "name")
        _unique([host.address for host in hosts], "address")
        scale = f.mapping(fields.get("scale") or {}, "spec.scale", ("boot", "latency"))
        faults = fields.get("faults") or []
        if not isinstance(faults, list):
            raise FieldError("spec.faults: must be a list of faults")
        tls = f.flag(fields.get("tls", False), "spec.tls")
        if tls and len(hosts) > MAX_TLS_HOSTS:
            raise FieldError(f"spec.tls: at most {MAX_TLS_HOSTS} hosts with TLS, not {len(hosts)}")
        return cls(
            hosts=hosts,
            seed=f.whole(fields.get("seed", 0), "spec.seed", 0, 2**63 - 1),
            port=f.whole(fields.get("port", 0), "spec.port", 0, 65_535),
            tls=tls,
            faults=tuple(
                Fault.from_dict(item, f"spec.faults[{i}]", default_id=f"spec-{i + 1}")
                for i, item in enumerate(faults)
            ),
            boot_scale=f.number(
                scale.get("boot", DEFAULT_BOOT_SCALE), "spec.scale.boot", 0.0, 100.0
            ),
            latency_scale=f.number(scale.get("latency", 1.0), "spec.scale.latency", 0.0, 100.0),
            personalities=known,
        )

    def check(self, fault: Fault, where: str = "fault") -> None:
        """Raises :class:`emulator.fields.FieldError` for a fault that a live fleet cannot show."""
        for part in (fault, *fault.symptoms):
            if part.about.tls and not self.tls:
                raise FieldError(
                    f"{where}.kind: {part.kind} is about TLS, and this fleet serves plain HTTP; "
                    "set tls to true in its spec"
                )

    @classmethod
    def load(cls, path: Path) -> FleetSpec:
        """Raises :class:`emulator.fields.FieldError`, with the file's name in front."""
        try:
            spec = cls.from_dict(json.loads(path.read_text("utf-8")), path.parent)
            for fault in spec.faults:
                spec.check(fault)
            return spec
        except (FieldError, json.JSONDecodeError, UnicodeDecodeError) as bad:
            raise FieldError(f"{path}: {bad}") from None
        except OSError as missing:
            raise FieldError(f"{path}: cannot be read: {missing.strerror}") from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password of every BMC, and of those that have their own."""

    username: str
    password: str = field(repr=False)
    hosts: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def token(self, host: str) -> bytes:
        """What follows ``Basic`` in the Authorization header of a rightful client."""
        username, password = self.hosts.get(host, (self.username, self.password))
        return base64.b64encode(f"{username}:{password}".encode())

    @classmethod
    def from_dict(cls, data: object) -> Credentials:
        """Raises :class:`emulator.fields.FieldError`; a password is never in the message."""
        fields = f.mapping(data, "credentials", ("username", "password", "hosts"))
        entries = fields.get("hosts") or {}
        if not isinstance(entries, Mapping):
            raise FieldError("credentials.hosts: must be a mapping of host name to credentials")
        own = {
            str(name): _login(item, f"credentials.hosts.{name}") for name, item in entries.items()
        }
        return cls(*_login(fields, "credentials"), hosts=own)

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Raises :class:`emulator.fields.FieldError`, also when others may read the file."""
        return cls.from_dict(_secret_json(path))


def load_token(path: Path) -> str:
    """The bearer token of the control endpoint, from a file that only its owner may read."""
    token = _secret_text(path).strip()
    if not 16 <= len(token) <= 4096 or not token.isascii():
        raise FieldError(f"{path}: must hold a token of 16 to 4096 ASCII characters")
    return token


def _secret_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise FieldError(f"{path}: others may read it (mode {mode & 0o777:o}); chmod 600 it")
        return path.read_text("utf-8")
    except OSError as missing:
        raise FieldError(f"{path}: cannot be read: {missing.strerror}") from None
    except UnicodeDecodeError:
        raise FieldError(f"{path}: is not text") from None


def _secret_json(path: Path) -> Any:
    try:
        return json.loads(_secret_text(path))
    except json.JSONDecodeError as bad:
        raise FieldError(f"{path}: not JSON: line {bad.lineno}, column {bad.colno}") from None


def _login(data: object, where: str) -> tuple[str, str]:
    if not isinstance(data, Mapping):
        raise FieldError(f"{where}: must be a mapping with username and password")
    username, password = data.get("username"), data.get("password")
    if not isinstance(username, str) or not username or ":" in username:
        raise FieldError(f"{where}.username: must be text without a colon")
    if not isinstance(password, str) or not password:
        raise FieldError(f"{where}.password: must be text")
    return username, password


def _loopback(value: object, where: str) -> str:
    try:
        address = ipaddress.IPv4Address(value) if isinstance(value, str) else None
    except ipaddress.AddressValueError:
        address = None
    if address is None or not address.is_loopback or str(address) == "127.255.255.255":
        raise FieldError(f"{where}: must be an IPv4 loopback address (127.x.y.z), not {value!r}")
    return str(address)


def _unique(values: list[str], what: str) -> None:
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        first = seen.setdefault(value, index)
        if first != index:
            raise FieldError(
                f"spec.hosts[{index}].{what}: {value!r} is that of spec.hosts[{first}] already"
            )
