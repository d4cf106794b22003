"""The kinds of fault of a BMC, as data: what each says, where it acts, which fields it has.

What a kind does is in :mod:`emulator.bmc.faults`, one function by name; readers of scenario files,
of the control endpoint and of the command line, and the table in ``docs/faults.md``, follow this
register.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator import fields as f
from emulator.faultbase import DIRECTIONS
from emulator.fields import FieldError
from emulator.latency import MAX_SECONDS, Latency

Acts = Literal["connection", "request", "answer", "boot", "span"]
"""Drawn for each new connection, request, answer or boot; or, for a span of time, at its start."""
Form = Literal["seconds", "whole", "number", "flag", "texts", "choice", "latency", "symptoms"]
Scope = Literal["any", "read", "system", "action", "log-in", "session", "update"]
"""Requests that a kind is about; the others are not drawn for. See ``emulator.bmc.faults``."""


@dataclass(frozen=True, slots=True)
class Param:
    """A field of one kind. Bounds are of the number, in the unit that ``about`` names."""

    name: str
    form: Form
    about: str
    default: Any = None
    low: float = 0.0
    high: float = MAX_SECONDS
    choices: tuple[str, ...] = ()
    required: bool = False

    def read(self, value: object, where: str) -> Any:
        """The value, checked; seconds are plain numbers here. Raises :class:`FieldError`."""
        match self.form:
            case "seconds" | "number":
                return f.number(value, where, self.low, self.high)
            case "whole":
                return f.whole(value, where, int(self.low), int(self.high))
            case "flag":
                return f.flag(value, where)
            case "texts":
                return f.texts(value, where)
            case "choice":
                return f.choice(value, where, self.choices)
            case "latency":
                return Latency.from_dict(value, where)
        return value


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``adds``: it makes an answer slower, beside whatever else hits the request."""

    name: str
    group: Literal["transport", "protocol", "semantic", "correlated"]
    acts: Acts
    about: str
    params: tuple[Param, ...] = ()
    scope: Scope = "any"
    adds: bool = False
    tls: bool = False
    """Is about TLS, and so for fleets that serve it."""

    @property
    def matches(self) -> bool:
        """Whether it may be narrowed by method and path."""
        return self.acts in ("request", "answer")

    def read(self, fields: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The kind's own fields, with the defaults of those that are not given."""
        found = {}
        for param in self.params:
            value = fields.get(param.name)
            if value is None:
                if param.required:
                    raise FieldError(f"{where}.{param.name}: missing; {param.about}")
                found[param.name] = param.default
            else:
                found[param.name] = param.read(value, f"{where}.{param.name}")
        return found


_PERFORM = Param("perform", "flag", "the request takes effect all the same", False)
_RATE = "bytes a second"
_SHARE = "share of the body that is sent, 0 to 1"


def _seconds(name: str, about: str, default: float, low: float = 0.0) -> Param:
    return Param(name, "seconds", about, default, low, max(MAX_SECONDS, 86_400.0))


_ALL = (
    Kind("refused", "transport", "connection", "the connection is refused before a byte is read"),
    Kind("reset-at-accept", "transport", "connection", "RST right after the connection is made"),
    Kind("tls-failure", "transport", "connection", "the TLS handshake fails", tls=True),
    Kind(
        *("certificate-expired", "transport", "connection"),
        "the certificate's validity is over; a client that does not verify sees nothing",
        tls=True,
    ),
    Kind(
        *("latency", "transport", "request", "the answer takes longer"),
        (
            Param(
                *("latency", "latency", "the distribution of the delay"),
                required=True,
            ),
        ),
        adds=True,
    ),
    Kind(
        *("bandwidth", "transport", "request", "the answer's body comes at `rate`"),
        (Param("rate", "number", _RATE, 1024.0, 1.0, 1e9),),
        adds=True,
    ),
    Kind(
        *("hang", "transport", "request", "no answer until the fault ends, then the end"),
        (_PERFORM,),
    ),
    Kind("reset", "transport", "request", "RST in place of the answer", (_PERFORM,)),
    Kind(
        *("loss", "transport", "request"),
        "no answer, and the client waits for its own deadline",
        (
            Param(
                *("direction", "choice", "what is lost; both: one of the two", "both"),
                choices=DIRECTIONS,
            ),
        ),
    ),
    Kind(
        *("hang-in-body", "transport", "answer", "headers, a part of the body, then nothing"),
        (Param("share", "number", _SHARE, 0.5, 0.0, 0.99),),
    ),
    Kind(
        *("truncation", "transport", "answer", "a part of what Content-Length says, then the end"),
        (Param("share", "number", _SHARE, 0.5, 0.0, 0.99),),
    ),
    Kind(
        *("drip", "transport", "answer", "the body comes byte by byte, and beats read timeouts"),
        (Param("rate", "number", _RATE, 16.0, 0.1, 1e6),),
    ),
    Kind(
        *("error", "protocol", "request", "`status` in place of an answer: 401 403 404 409 429..."),
        (
            Param("status", "whole", "400 to 599", 503, 400, 599),
            Param("retry_after", "whole", "seconds in the Retry-After header"),
            _PERFORM,
        ),
    ),
    Kind("malformed-json", "protocol", "answer", "a body that breaks off in mid-JSON"),
    Kind("html", "protocol", "answer", "200 with a web page"),
    Kind("list", "protocol", "answer", "a JSON list in place of the object"),
    Kind(
        *("missing-fields", "protocol", "answer", "properties are missing"),
        (
            Param("properties", "texts", "their names, `/` before nested ones", ()),
            Param("share", "number", "without names: each one's chance, 0 to 1", 0.5, 0.0, 1.0),
        ),
        scope="read",
    ),
    Kind("null-power", "protocol", "answer", "PowerState is null", scope="system"),
    Kind("wrong-etag", "protocol", "answer", "an ETag that the BMC does not know", scope="read"),
    Kind("session-exhaustion", "protocol", "request", "log-in: all taken", scope="log-in"),
    Kind("session-expiry", "protocol", "request", "the session is over", scope="session"),
    Kind("lost-action", "semantic", "request", "accepted, never performed", scope="action"),
    Kind(
        *("late-action", "semantic", "request", "accepted, performed later"),
        (_seconds("delay", "seconds after the answer", 30.0),),
        scope="action",
    ),
    Kind(
        *("double-action", "semantic", "request", "performed, and once more"),
        (_seconds("delay", "seconds between the two", 1.0),),
        scope="action",
    ),
    Kind(
        *("stale-power", "semantic", "answer", "PowerState as it was"),
        (_seconds("lag", "seconds ago", 30.0),),
        scope="system",
    ),
    Kind("endless-task", "semantic", "answer", "the task stays at Running", scope="update"),
    Kind("override-lost", "semantic", "boot", "the boot ignores the override, and clears it"),
    Kind(
        *("boot-loop", "semantic", "boot", "the boot breaks off before the boot device, again"),
    ),
    Kind(
        *("boot-stuck", "semantic", "boot", "BootProgress stands still until the next reset"),
        (Param("share", "number", "of the boot that still happens, 0 to 1", 0.5, 0.0, 0.99),),
    ),
    Kind("media-lost", "semantic", "boot", "the boot finds the virtual drives empty"),
    Kind("media-ejected", "semantic", "span", "the virtual drives lose their media at the start"),
    Kind(
        *("bmc-reboot", "semantic", "span"),
        "the BMC restarts and forgets sessions, subscriptions, override and media",
        (_seconds("unreachable", "seconds without connections", 30.0),),
    ),
    Kind(
        *("wrong-clock", "semantic", "span", "the BMC's clock is wrong, in its logs as well"),
        (
            Param(
                *("ahead", "seconds", "seconds, negative for behind", 3600.0),
                *(-3.2e7, 3.2e7),
            ),
        ),
    ),
    Kind(
        *("credentials-rotated", "semantic", "span"),
        "the password is another one; the control endpoint alone tells which",
    ),
    Kind(
        *("unreachable", "correlated", "request"),
        "a switch that is down: nothing comes back from any BMC behind it, nothing takes effect",
    ),
    Kind(
        *("power-loss", "correlated", "span", "the feed is off: hosts go dark at once"),
        (
            Param(
                *("restore", "choice", "what hosts do once it is back", "LastState"),
                choices=("LastState", "AlwaysOn", "AlwaysOff"),
            ),
            Param("bmc", "flag", "BMCs hang on the same feed, and forget as in bmc-reboot", True),
            _seconds("bmc_boot", "seconds that BMCs need afterwards", 10.0),
        ),
    ),
    Kind(
        *("firmware-bug", "correlated", "span"),
        "several faults as one: all `symptoms` at the same hosts and times",
        (
            Param(
                *("symptoms", "symptoms", "faults without id, select and times"),
                required=True,
            ),
        ),
    ),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
PARAMS = tuple({param.name: None for kind in _ALL for param in kind.params})
"""The names of all kinds' own fields."""


def owners(name: str) -> list[str]:
    """The kinds that have a field of that name."""
    return [kind.name for kind in _ALL if any(param.name == name for param in kind.params)]
