"""Vendors as data: identity, hardware, and how long things take (``personalities/*.yaml``)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from beskar7.runtime import Random, Runtime
from emulator import fields as f
from emulator.latency import Latency

OPERATIONS = ("get", "patch", "reset", "media")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class Personality:
    """One vendor's machine. Latencies and durations in seconds of a real machine."""

    vendor: str
    manufacturer: str
    models: tuple[str, ...]
    serial: str
    bmc_model: str
    bmc_firmware: str
    cores: int
    memory_gib: int
    sockets: int
    power_on: Latency
    power_off: Latency
    shutdown: Latency
    boot: Latency
    phases: tuple[tuple[float, str], ...]
    latency: dict[str, Latency]

    def model_of(self, name: str) -> str:
        return self.models[_digest("model", name) % len(self.models)]

    def serial_of(self, name: str) -> str:
        """The serial number: the same for the same name, in the vendor's format."""
        rest = _digest("serial", name)
        serial = ""
        for char in self.serial:
            letters = {"@": _LETTERS, "#": _DIGITS, "*": _LETTERS + _DIGITS}.get(char)
            if letters is None:
                serial += char
            else:
                rest, index = divmod(rest, len(letters))
                serial += letters[index]
        return serial


def _digest(purpose: str, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}/{name}".encode(), digest_size=16).digest())


@cache
def personalities() -> dict[str, Personality]:
    """All that are shipped, by vendor.

    Raises:
        emulator.fields.FieldError: a file does not hold what it should.
    """
    found = {}
    for file in sorted(
        resources.files("emulator.bmc.personalities").iterdir(), key=lambda file: file.name
    ):
        if file.name.endswith(".yaml"):
            vendor = file.name.removesuffix(".yaml")
            found[vendor] = _parse(vendor, yaml.safe_load(file.read_text("utf-8")))
    return found


def _parse(vendor: str, data: object) -> Personality:
    top = f.mapping(data, vendor, ("identity", "hardware", "power", "boot", "latency"))
    identity = f.mapping(
        top["identity"],
        f"{vendor}.identity",
        ("manufacturer", "models", "serial", "bmc_model", "bmc_firmware"),
    )
    hardware = f.mapping(top["hardware"], f"{vendor}.hardware", ("cores", "memory_gib", "sockets"))
    power = f.mapping(top["power"], f"{vendor}.power", ("on", "off", "shutdown"))
    boot = f.mapping(top["boot"], f"{vendor}.boot", ("duration", "phases"))
    latency = f.mapping(top["latency"], f"{vendor}.latency", OPERATIONS)
    return Personality(
        vendor=vendor,
        manufacturer=f.text(identity["manufacturer"], f"{vendor}.identity.manufacturer"),
        models=f.texts(identity["models"], f"{vendor}.identity.models"),
        serial=f.text(identity["serial"], f"{vendor}.identity.serial"),
        bmc_model=f.text(identity["bmc_model"], f"{vendor}.identity.bmc_model"),
        bmc_firmware=f.text(identity["bmc_firmware"], f"{vendor}.identity.bmc_firmware"),
        cores=f.whole(hardware["cores"], f"{vendor}.hardware.cores", 1, 4096),
        memory_gib=f.whole(hardware["memory_gib"], f"{vendor}.hardware.memory_gib", 1, 65536),
        sockets=f.whole(hardware["sockets"], f"{vendor}.hardware.sockets", 1, 16),
        power_on=Latency.from_dict(power["on"], f"{vendor}.power.on"),
        power_off=Latency.from_dict(power["off"], f"{vendor}.power.off"),
        shutdown=Latency.from_dict(power["shutdown"], f"{vendor}.power.shutdown"),
        boot=Latency.from_dict(boot["duration"], f"{vendor}.boot.duration"),
        phases=tuple(
            (f.number(share, f"{vendor}.boot.phases", 0.0, 1.0), str(state))
            for share, state in boot["phases"]
        ),
        latency={
            name: Latency.from_dict(latency[name], f"{vendor}.latency.{name}")
            for name in OPERATIONS
        },
    )


class Timing:
    """How long things take on one host: the vendor's distributions, scaled, and its own luck.

    Hardware and answers draw from streams of their own, so that how often a client asks does not
    change how long the machine boots.
    """

    __slots__ = (
        *("_answers", "_boot_scale", "_hardware", "_host", "_latency_scale", "_personality"),
        "_runtime",
    )

    def __init__(
        self,
        personality: Personality,
        runtime: Runtime,
        host: str,
        boot_scale: float,
        latency_scale: float,
    ) -> None:
        self._personality = personality
        self._runtime = runtime
        self._host = host
        self._boot_scale = boot_scale
        self._latency_scale = latency_scale
        self._hardware: Random | None = None
        self._answers: Random | None = None

    def _draw(self, latency: Latency) -> float:
        # A stream is 2.5 KB: ten thousand idle hosts need none.
        if self._hardware is None:
            self._hardware = self._runtime.rng(f"bmc/{self._host}")
        return latency.draw(self._hardware) * self._boot_scale

    def power_on(self) -> float:
        return self._draw(self._personality.power_on)

    def power_off(self) -> float:
        return self._draw(self._personality.power_off)

    def shutdown(self) -> float:
        return self._draw(self._personality.shutdown)

    def boot(self) -> float:
        return self._draw(self._personality.boot)

    @property
    def phases(self) -> tuple[tuple[float, str], ...]:
        return self._personality.phases

    def answer(self, operation: str) -> float:
        """Seconds that one request of this kind takes: get, patch, reset or media."""
        if self._latency_scale <= 0.0:
            return 0.0
        if self._answers is None:
            self._answers = self._runtime.rng(f"bmc-latency/{self._host}")
        return self._personality.latency[operation].draw(self._answers) * self._latency_scale
