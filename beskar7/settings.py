"""What the flags of ``beskar7 manager`` set; see :mod:`beskar7.flags`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from beskar7.config import LeaseSettings, Tuning, parse_tuning


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """One manager process. Times are seconds."""

    identity: str
    namespace: str = "beskar7-system"
    lease_namespace: str = "beskar7-system"
    kubeconfig: str | None = None
    kube_api_qps: float = 0.0
    """Requests a second that the manager may make of the API; 0: no limit."""
    kube_api_burst: int = 30
    leader_elect: bool = True
    release_on_cancel: bool = True
    claim_lease: LeaseSettings | None = None
    """None: no claim coordinator, machines claim for themselves."""
    metrics_address: str = "127.0.0.1:8080"
    probe_address: str = "127.0.0.1:8081"
    enable_pprof: bool = True
    """Profiles beside the metrics, for this machine alone."""
    pprof_address: str = ""
    """Where profiles are served besides; empty: nowhere."""
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 0
    """0: no webhooks are served."""
    webhook_cert_dir: str = ""
    require_owner_machine: bool = False
    security_monitoring: bool = True
    otlp_endpoint: str = ""
    """Where spans are sent to; empty: nowhere."""
    stuck_state_timeout: float = 900.0
    """That a host may stay in a transitional state (facts section 2)."""
    max_retries: int = 3
    """Reconciles of one object in a row that may meet a conflict before it has to wait longer."""
    shutdown_timeout: float = 10.0
    """That a stop may take: the Deployment's termination grace (facts section 7)."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of :class:`Tuning` that flags set, whatever the ConfigMap says."""

    def tuned(self, data: Mapping[str, str]) -> Tuning:
        """The tuning with this ConfigMap's data. Raises :class:`beskar7.config.ConfigError`."""
        return parse_tuning(data, self.fixed)
