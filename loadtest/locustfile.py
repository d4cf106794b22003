"""The file that Locust is pointed at: its options, and the test's beginning and end.

    KUBECONFIG=... locust --headless -f loadtest/locustfile.py --users 16 --run-time 60s

``python -m loadtest`` does that against a lab of its own. BESKAR7_METRICS_URLS (URLs between
spaces) names the managers' /metrics, from which conflicts are counted.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

import gevent
from locust import events
from locust.env import Environment

from loadtest.kubeconfig import KubeconfigError
from loadtest.lifecycle import Settings
from loadtest.users import BAD_INPUT, MachineRequester, Session

__all__ = ["MachineRequester"]


@events.init_command_line_parser.add_listener
def options(parser: ArgumentParser) -> None:
    """Options of this test beside Locust's own; times are seconds."""
    usual = Settings()
    group: Any = parser.add_argument_group("beskar7")
    group.add_argument("--kubeconfig", env_var="KUBECONFIG", default="", help="the API server")
    group.add_argument("--namespace", default="", help="instead of the kubeconfig's own")
    group.add_argument("--image-url", default=usual.image_url)
    group.add_argument("--claim-timeout", type=float, default=usual.claim_timeout)
    group.add_argument("--provision-timeout", type=float, default=usual.provision_timeout)
    group.add_argument("--release-timeout", type=float, default=usual.release_timeout)
    group.add_argument("--hold", type=float, default=usual.hold, help="how long a machine is kept")
    group.add_argument("--summary", default="", help="JSON file for the findings")


@events.init.add_listener
def init(environment: Environment, **_: Any) -> None:
    try:
        session = Session(environment)
    except KubeconfigError as error:
        sys.stderr.write(f"load test: {error}\n")
        sys.exit(BAD_INPUT)
    MachineRequester.session = session
    environment.events.test_start.add_listener(lambda **_: gevent.spawn(session.progress))

    def quitting(**_: Any) -> None:
        # On Ctrl-C users still run here; stopping them first gives their machines back.
        if environment.runner:
            environment.runner.quit()
        session.finish()

    environment.events.quitting.add_listener(quitting)
