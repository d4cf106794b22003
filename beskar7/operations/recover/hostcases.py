"""What is wrong with a host, and what may safely be done about it without hands."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from beskar7.api.conditions import REDFISH_CONNECTION_READY, get_condition
from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PAUSED_ANNOTATION, Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.operations.cluster import Cluster

RETRY, RELEASE, HANDS, NOTHING = "retry", "release", "hands", "nothing"
"""Ask its BMC at once; let the controller take it from an owner that is gone; somebody has to do
something first; nothing is wrong."""
NO_CREDENTIALS = ("MissingCredentials", "SecretNotFound", "MissingSecretData")
REFUSED = "RedfishCredentialsRefused"


@dataclass(frozen=True, slots=True)
class HostCase:
    """``owner``: the uid of its consumer at that time."""

    host: str
    state: str
    why: str
    action: str
    owner: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def judge(cluster: Cluster, host: PhysicalHost, *, named: bool) -> HostCase:
    """``named``: somebody asks for this very host. Raises ApiError."""
    if host.paused:
        return _case(
            host,
            HANDS,
            f"paused: take the annotation {PAUSED_ANNOTATION} away, then run this again",
        )
    if orphaned(cluster, host):
        owner = host.consumer_key
        return _case(host, RELEASE, f"owned by Beskar7Machine {owner}, which is gone")
    if host.state is not HostState.ERROR:
        return _case(host, NOTHING, f"in state {host.state or 'None'}, which is no error")
    said = str(host.status.get("errorMessage") or "no reason was given")
    reason = _connection_reason(host)
    if reason in NO_CREDENTIALS:
        return _case(host, HANDS, f"{said}; it is tried as soon as its Secret has them")
    if reason == REFUSED and not named:
        return _case(
            host,
            HANDS,
            f"{said}; it is tried as soon as its Secret changes. To try these once more, at the "
            "risk that the BMC locks the account, name the host",
        )
    return _case(host, RETRY, said)


def orphaned(cluster: Cluster, host: PhysicalHost) -> bool:
    """Whether its owner is gone, by the API server's own word at this moment."""
    key = host.consumer_key
    if key is None or (host.consumer or {}).get("kind") != BESKAR7_MACHINE.kind:
        return False
    try:
        found = cluster.kube.get(BESKAR7_MACHINE, key.namespace or host.namespace, key.name)
    except NotFound:
        return True
    return host.consumer_uid not in ("", Beskar7Machine(found).uid)


def key_of(text: str) -> ObjectKey:
    """The inverse of ``str(key)``."""
    namespace, _, name = text.partition("/")
    return ObjectKey(namespace, name)


def _case(host: PhysicalHost, action: str, why: str) -> HostCase:
    return HostCase(str(host.key), host.state.value or "None", why, action, host.consumer_uid)


def _connection_reason(host: PhysicalHost) -> str:
    told = get_condition(host.status, REDFISH_CONNECTION_READY) or {}
    return str(told.get("reason") or "") if told.get("status") == "False" else ""
