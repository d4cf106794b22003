"""A scenario as data: the world, the load on it, what goes wrong when, and what has to hold.

All times are seconds. How a file spells these is in ``scenarios/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from scenarios.engine.objectives import Objective
from scenarios.engine.rehearsal.conditions import Condition
from scenarios.engine.rehearsal.kubectl_commands import Kubectl
from scenarios.engine.rehearsal.remedies import Recover

OS_FAMILIES = ("kairos", "flatcar", "LeapMicro")
PROVISIONING_MODES = ("PreBakedISO", "RemoteConfig", "PXE", "iPXE")
BOOT_MODES = ("UEFI", "Legacy")

Target = Literal["leader", "follower", "any", "leader-first"]
"""``leader-first``: any manager when there is no leader just now; the others have to be there."""
Which = Literal["provisioned-first", "busy-first", "waiting-first", "oldest-first", "random"]
"""``busy-first``: those first whose BMC is in the middle of its provision operation,
written to but not reset yet."""


@dataclass(frozen=True, slots=True)
class HostGroup:
    """``count`` hosts that differ: their own hardware, and labels beside those of all hosts."""

    count: int
    cores: int = 32
    memory_gib: int = 128
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostsSpec:
    """``vendors`` are weights; ``racks`` is their number, hosts go round them.

    ``groups`` take the first hosts, in their order; the others are as the fields here say.
    ``shards`` is how many processes serve the BMCs in wall time; virtual time has one.
    ``personalities`` are files, or folders of them, with vendors beside those that come along.

    ``boot_scale`` and ``latency_scale`` shorten the vendors' times; 1 is as long as in reality.
    """

    count: int
    vendors: Mapping[str, float] = field(default_factory=lambda: {"generic": 1.0})
    racks: int = 1
    cores: int = 32
    memory_gib: int = 128
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    groups: tuple[HostGroup, ...] = ()
    shards: int = 1
    boot_scale: float = 0.02
    latency_scale: float = 1.0
    personalities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManagersSpec:
    """``args`` are the manager's flags without their dashes.

    ``deployed``: they are pods of the Deployment ``beskar7-controller-manager``, for kubectl to
    act on; one that is killed is started again, as another identity.
    """

    replicas: int = 1
    args: Mapping[str, str] = field(default_factory=dict)
    deployed: bool = False


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """``config`` is the data of the ConfigMap ``beskar7-config``."""

    hosts: HostsSpec
    managers: ManagersSpec = ManagersSpec()
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """How a rate goes up and down over each ``period`` (seconds).

    ``peak``: the highest rate as a multiple of the mean, 1 or more. ``at``: seconds of the period
    at which it is reached; ``starts``: those at which the load begins.
    """

    peak: float = 2.0
    at: float = 12 * 3600.0
    starts: float = 0.0
    period: float = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Coming:
    """A machine that comes ``at`` seconds after the load's start.

    ``variant``: its position in the mix; None: as the round of the mix has it. ``lifetime`` in
    seconds; None: as the load says.
    """

    at: float
    variant: int | None = None
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals that were recorded, in order of time; ``place`` is the file that holds them."""

    place: str
    rows: tuple[Coming, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``rate`` is machines per second, over a ``day`` their mean; a batch has none and comes at
    once. With a ``trace`` the machines are its first."""

    process: Literal["batch", "poisson", "constant", "diurnal", "trace"] = "batch"
    rate: float = 0.0
    day: Day = Day()
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a machine is wanted, from its creation on; ``mean`` in seconds."""

    process: Literal["exponential", "constant"]
    mean: float


@dataclass(frozen=True, slots=True)
class HostRequirements:
    """A machine's ``hostRequirements``; memory in GB as the CRD calls it, meaning GiB."""

    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    required_labels: Mapping[str, str] = field(default_factory=dict)
    preferred_labels: Mapping[str, str] = field(default_factory=dict)
    min_cpu_cores: int = 0
    min_memory_gb: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """What a machine asks for; ``weight`` of them come in each round of the mix.

    None is what the file does not say, so that the defaults are the API's.
    """

    weight: int = 1
    image_url: str = "http://images.example/kairos.iso"
    os_family: str = "kairos"
    provisioning_mode: str | None = None
    config_url: str | None = None
    boot_mode: str | None = None
    requirements: HostRequirements = HostRequirements()


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """``mix`` has one variant at least. ``lifetime`` None: machines stay until they are deleted."""

    machines: int
    mix: tuple[Variant, ...] = (Variant(),)
    arrivals: Arrivals = Arrivals()
    lifetime: Lifetime | None = None
    namespace: str = "default"


Moment = Literal["call", "answer"]


@dataclass(frozen=True, slots=True)
class Door:
    """The ``nth`` call (from 1), or answer to one, of a manager, of those that ``match``: a glob of
    a part of ``update PhysicalHost default/host-001`` or ``host-001 POST /redfish/v1/...``.
    """

    moment: Moment = "call"
    nth: int = 1
    match: str = "*"

    def __str__(self) -> str:
        which = "" if self.match == "*" else f' of "{self.match}"'
        return f"{self.moment} {self.nth}{which}"


@dataclass(frozen=True, slots=True)
class Passage:
    """A call of a manager, or the answer to it. ``time`` is ``runtime.now()``.

    ``what``: ``update PhysicalHost default/host-0001``, ``host-0001 POST /redfish/v1/...``.
    """

    time: float
    manager: str
    moment: Moment
    what: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an act is due: ``at`` seconds after the load began, when a ``condition`` holds, or at a
    ``door``, whose calls count from when the act before it is done.

    ``count`` belongs to the conditions claimed and provisioned: that many machines have been
    so at some time. ``delay`` seconds pass between the condition and the act.
    """

    at: float | None = None
    condition: Literal["claimed", "provisioned", "settled"] | None = None
    count: int = 0
    delay: float = 0.0
    door: Door | None = None

    def __str__(self) -> str:
        if self.at is not None:
            return f"at {self.at:g} s"
        if self.door is not None:
            return f"at {self.door}"
        what = "settled" if self.condition == "settled" else f"{self.count} {self.condition}"
        return f"when {what}" + (f" and {self.delay:g} s later" if self.delay else "")


@dataclass(frozen=True, slots=True)
class CreateMachines:
    count: int

    def __str__(self) -> str:
        return f"create {self.count} machines"


@dataclass(frozen=True, slots=True)
class DeleteMachines:
    count: int
    which: Which = "provisioned-first"

    def __str__(self) -> str:
        return f"delete {self.count} machines, {self.which}"


@dataclass(frozen=True, slots=True)
class KillManager:
    """SIGKILL: the process gets no chance to release its lease.

    ``target`` None: whoever goes through the trigger's door. ``restart``: seconds after which
    another one is started in its place; None: none is.
    """

    target: Target | None = "leader"
    restart: float | None = None

    def __str__(self) -> str:
        again = "" if self.restart is None else f", start another {self.restart:g} s later"
        return f"kill a manager ({self.target or 'who is there'}){again}"


@dataclass(frozen=True, slots=True)
class StartManager:
    def __str__(self) -> str:
        return "start a manager"


@dataclass(frozen=True, slots=True)
class AddFault:
    """``fault`` is a fleet fault in the vocabulary of ``emulator/faults.py``."""

    fault: Mapping[str, Any]

    def __str__(self) -> str:
        return f"add the fault {self.fault['id']}"


@dataclass(frozen=True, slots=True)
class ClearFault:
    """``id`` None clears them all."""

    id: str | None = None

    def __str__(self) -> str:
        return f"clear {'every fault' if self.id is None else f'the fault {self.id}'}"


@dataclass(frozen=True, slots=True)
class Configure:
    """``settings`` are put into the ConfigMap ``beskar7-config`` beside what it holds."""

    settings: Mapping[str, str]

    def __str__(self) -> str:
        return "configure " + ", ".join(f"{key}={text}" for key, text in self.settings.items())


Action = (
    CreateMachines
    | DeleteMachines
    | KillManager
    | StartManager
    | AddFault
    | ClearFault
    | Configure
    | Kubectl
    | Recover
)


@dataclass(frozen=True, slots=True)
class Act:
    trigger: Trigger
    action: Action

    def __str__(self) -> str:
        return f"{self.trigger}: {self.action}"


RestsOnElection = Literal[
    "only-owner-acts",
    "leader-writes-only",
    "bmc-exclusive",
    "bmc-cooldown",
    "no-blind-reset",
    "provisioned-means-booted",
    "write-limit",
]
"""Invariants that are kept by the one manager that leads: none of several knows of the others'
operations. All others, who owns a host first of all, are kept by the API server's word."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Four acts. The symptoms are awaited from the end of the cause on, side by side; each step of
    the ``remedy`` is taken when the one before is done; then the ``recovery`` is awaited: all of
    its conditions at one time.

    ``hints`` are for the operator, each plainer than the one before. ``breaks``: promises that the
    cause breaks by design, from its first act until the remedy is done.
    """

    cause: tuple[Act, ...]
    symptom: tuple[Condition, ...]
    remedy: tuple[Action, ...]
    recovery: tuple[Condition, ...]
    hints: tuple[str, ...] = ()
    breaks: tuple[RestsOnElection, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A threshold: exactly one of ``maximum``, ``minimum``, ``equals``, in the measure's unit."""

    measure: str
    unit: str
    maximum: float | None = None
    minimum: float | None = None
    equals: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout`` counts from the load's start, ``enrol_timeout`` from the world's."""

    timeout: float = 300.0
    enrol_timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    description: str
    world: WorldSpec
    load: LoadSpec
    faults: tuple[Mapping[str, Any], ...] = ()
    acts: tuple[Act, ...] = ()
    checks: tuple[Check, ...] = ()
    limits: Limits = Limits()
    objectives: tuple[Objective, ...] = ()
    """What ``beskar7 plan`` is to achieve."""
    guide: str = ""
    """The heading of the troubleshooting guide that it rehearses."""
    rehearsal: Rehearsal | None = None
    """With one there are no ``acts``: the acts are those of its cause."""

    @property
    def played(self) -> tuple[Act, ...]:
        """The acts that have triggers: its own, or those of the rehearsal's cause."""
        return self.acts if self.rehearsal is None else self.rehearsal.cause

    @property
    def actions(self) -> tuple[Action, ...]:
        """All that is done to the world in the course of it."""
        mended = () if self.rehearsal is None else self.rehearsal.remedy
        return (*(act.action for act in self.played), *mended)

    @property
    def virtual_only(self) -> list[str]:
        """The fields that need virtual time."""
        where = "acts" if self.rehearsal is None else "rehearsal.cause"
        acts = enumerate(self.played)
        return [
            f"{where}.{number}.when.door" for number, act in acts if act.trigger.door is not None
        ]

    @property
    def total_machines(self) -> int:
        """Machines that are created over the whole run."""
        later = self.actions
        return self.load.machines + sum(a.count for a in later if isinstance(a, CreateMachines))
