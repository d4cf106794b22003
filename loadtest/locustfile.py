"""The file that Locust is pointed at: its options, its users, its shape.

    KUBECONFIG=... locust --headless -f loadtest/locustfile.py --shape steps --machines 100

``beskar7 load SHAPE`` does that against a lab of its own. BESKAR7_METRICS_URLS (URLs between
spaces) names the managers' /metrics, from which conflicts are counted. Without ``--shape``
Locust's own ``--users`` and ``--spawn-rate`` say how many there are.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtest.child import BAD_INPUT, COMPLAINT, LOOPBACK, STOP_SECONDS
from loadtest.guideshape import ChosenShape
from loadtest.kubeconfig import KubeconfigError
from loadtest.lifecycle import Settings
from loadtest.page import add_page
from loadtest.preflight import NotReady
from loadtest.session import Session
from loadtest.shapes import SHAPES, ShapeError
from loadtest.thresholds import ThresholdError
from loadtest.users.base import ClusterUser
from loadtest.users.chaos import Chaos
from loadtest.users.operator import Operator
from loadtest.users.redfish import RedfishClient
from loadtest.users.requester import MachineRequester
from loadtest.workers import look_after_workers

__all__ = ["Chaos", "MachineRequester", "Operator", "RedfishClient"]

look_after_workers()


@events.init_command_line_parser.add_listener
def options(parser: ArgumentParser) -> None:
    """Options of this test beside Locust's own; times are seconds."""
    usual = Settings()
    # By itself Locust lets no user finish, and listens to all the world.
    parser.set_defaults(stop_timeout=STOP_SECONDS, master_bind_host=LOOPBACK, web_host=LOOPBACK)
    group: Any = parser.add_argument_group("beskar7")
    add = group.add_argument
    add("--kubeconfig", env_var="KUBECONFIG", default="", help="the API server")
    add("--namespace", default="", help="instead of the kubeconfig's own")
    add("--image-url", default=usual.image_url)
    add("--claim-timeout", type=float, default=usual.claim_timeout)
    add("--provision-timeout", type=float, default=usual.provision_timeout)
    add("--release-timeout", type=float, default=usual.release_timeout)
    add("--hold", type=float, default=usual.hold, help="how long a machine is kept, without shape")
    add("--shape", default="", help=f"one of {', '.join(SHAPES)}")
    add("--machines", type=int, default=None, help="how many the shape asks for")
    add("--rate", type=float, default=None, help="machines a second, of a sustained shape")
    add("--shape-seconds", type=float, default=None, help="for how long the shape asks")
    add("--shape-hold", type=float, default=None, help="how long the shape keeps a machine")
    add("--operators", type=int, default=0, help="people who list and describe beside it")
    add("--redfish-clients", type=int, default=0, help="clients of the BMCs beside it")
    add("--chaos-every", type=float, default=0.0, help="a manager's pod is killed so often")
    add("--thresholds", default="", help="YAML file of bounds, see loadtest/thresholds.py")
    add("--summary", default="", help="JSON file for the findings")


@events.init.add_listener
def init(environment: Environment, **_: Any) -> None:
    asked: Any = environment.parsed_options
    try:
        session = Session(environment)
    except (KubeconfigError, ShapeError, ThresholdError, NotReady) as error:
        sys.stderr.write(f"{COMPLAINT}{error}\n")
        sys.exit(BAD_INPUT)
    session.bind()
    ClusterUser.session = ChosenShape.session = session
    beside: dict[type[ClusterUser], int] = {
        Operator: asked.operators,
        RedfishClient: asked.redfish_clients,
        Chaos: int(asked.chaos_every > 0),
    }
    for kind, count in beside.items():
        kind.fixed_count = count
    ChosenShape.others = sum(beside.values())
    # A worker is told how many of each kind its master wants.
    if not isinstance(environment.runner, WorkerRunner):
        left_out = {kind for kind, count in beside.items() if not count}
        environment.user_classes = [k for k in environment.user_classes if k not in left_out]
    if session.shape is None:
        environment.shape_class = None
    add_page(environment, session)
