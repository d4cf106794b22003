"""HostClaim: a machine's wish for a host, handed to whoever assigns hosts.

The object lives as long as its machine, which owns it: the garbage collector removes it. Being
there it also turns away a second request for the same machine that was long on its way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import copy_json
from beskar7.api.resources import Beskar7Machine

_BOOT_FIELDS = ("imageURL", "configURL", "osFamily", "provisioningMode", "bootMode")


class ClaimPhase(StrEnum):
    """``status.phase``. A claim that nobody has touched yet is Pending."""

    PENDING = "Pending"
    ASSIGNED = "Assigned"
    """``status.hostRef`` says which host, and at which resourceVersion it may be taken."""
    UNFULFILLABLE = "Unfulfillable"
    """No host of the namespace could satisfy it; it stays open for hosts to come."""
    CANCELLED = "Cancelled"
    """Nobody may assign it. A ``hostRef`` that is left may still be taken by a late write."""


class HostClaim(View):
    """See the module."""

    __slots__ = ()

    @property
    def machine_uid(self) -> str:
        return str((self.spec.get("machineRef") or {}).get("uid") or "")

    @property
    def phase(self) -> ClaimPhase:
        """Pending for a word that is no phase: such a claim is to be assigned anew."""
        try:
            return ClaimPhase(self.status.get("phase") or "Pending")
        except ValueError:
            return ClaimPhase.PENDING

    @property
    def open(self) -> bool:
        """Whether it waits for a host to be assigned."""
        return self.phase in (ClaimPhase.PENDING, ClaimPhase.UNFULFILLABLE)

    @property
    def told(self) -> bool:
        """Whether somebody has written its status yet."""
        return bool(self.status.get("phase"))

    @property
    def message(self) -> str:
        return str(self.status.get("message") or "")

    @property
    def retries(self) -> int:
        return int(self.status.get("retries") or 0)

    @property
    def host_key(self) -> ObjectKey:
        return ObjectKey(self.namespace, str(self._host_ref.get("name") or ""))

    @property
    def host_uid(self) -> str:
        return str(self._host_ref.get("uid") or "")

    @property
    def host_version(self) -> str:
        """The only resourceVersion at which the host may be taken for this assignment."""
        return str(self._host_ref.get("resourceVersion") or "")

    @property
    def _host_ref(self) -> dict[str, Any]:
        return self.status.get("hostRef") or {}

    def machine(self) -> Beskar7Machine:
        """As much of the machine as taking a host for it needs."""
        requirements = self.spec.get("requirements")
        return Beskar7Machine(
            {
                "apiVersion": BESKAR7_MACHINE.api_version,
                "kind": BESKAR7_MACHINE.kind,
                "metadata": {
                    "namespace": self.namespace,
                    "name": self.name,
                    "uid": self.machine_uid,
                },
                "spec": {
                    **copy_json(self.spec.get("boot") or {}),
                    **({"hostRequirements": copy_json(requirements)} if requirements else {}),
                },
            }
        )

    def asks_for(self, machine: Beskar7Machine) -> bool:
        """Whether it says what the machine wants now."""
        return self.spec == claim_spec(machine)


def claim_spec(machine: Beskar7Machine) -> dict[str, Any]:
    """The ``spec`` of the machine's claim."""
    requirements = machine.spec.get("hostRequirements")
    boot = {name: machine.spec[name] for name in _BOOT_FIELDS if machine.spec.get(name)}
    return {
        "machineRef": {"name": machine.name, "uid": machine.uid},
        **({"requirements": copy_json(requirements)} if requirements else {}),
        "boot": boot,
    }


def new_claim(machine: Beskar7Machine) -> HostClaim:
    """A claim that is still to be created."""
    return HostClaim(
        {
            "apiVersion": HOST_CLAIM.api_version,
            "kind": HOST_CLAIM.kind,
            "metadata": {
                "namespace": machine.namespace,
                "name": machine.name,
                "ownerReferences": [
                    {
                        "apiVersion": BESKAR7_MACHINE.api_version,
                        "kind": BESKAR7_MACHINE.kind,
                        "name": machine.name,
                        "uid": machine.uid,
                        "controller": True,
                    }
                ],
            },
            "spec": claim_spec(machine),
        }
    )
