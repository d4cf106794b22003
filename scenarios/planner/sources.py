"""What a plan is for: a scenario, a few numbers, or what a cluster and a Prometheus show."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from beskar7.api.documents import Node, read_file
from beskar7.cli import UsageError
from beskar7.operations.options import (
    add_cluster_options,
    bounded_duration,
    open_cluster,
    whole_number,
)
from scenarios.engine.act_fields import MAX_MACHINES
from scenarios.engine.loader import MAX_HOSTS, find
from scenarios.engine.overrides import apply_override
from scenarios.planner.demand import Demand, document, load_of

DEFAULT_HISTORY = 86_400.0
"""Seconds."""


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options; :func:`source_of` reads them. ``--output`` comes with those of a cluster."""
    parser.add_argument("scenario", nargs="?", metavar="NAME|FILE", help="the world and the load")
    parser.add_argument("--hosts", type=whole_number(1, MAX_HOSTS), metavar="N", help="there are")
    parser.add_argument(
        "--machines", type=whole_number(1, MAX_MACHINES), metavar="N", help="are wanted"
    )
    parser.add_argument("--vendors", metavar="NAME:WEIGHT,...", help="as in dell:4,hpe:3")
    parser.add_argument(
        "--arrivals", metavar="PROCESS:RATE", help="batch (default), poisson:0.5/s, constant:1/s"
    )
    parser.add_argument(
        "--lifetime", metavar="PROCESS:TIME", help="of a machine, as in exponential:2h"
    )
    parser.add_argument(
        "--from-cluster",
        action="store_true",
        help="plan for the fleet, the configuration and the machines of a cluster; with "
        "--machines, for so many more on its free hosts",
    )
    parser.add_argument(
        "--from-prometheus",
        metavar="URL",
        help="take the history from there; the fleet, too, without --from-cluster",
    )
    parser.add_argument(
        "--history",
        type=bounded_duration(300.0, 30 * 86_400.0),
        default=DEFAULT_HISTORY,
        metavar="TIME",
        help="how far Prometheus is to look back (default: 24h)",
    )
    add_cluster_options(parser)


def source_of(args: argparse.Namespace, say: Callable[[str], None]) -> Node:
    """The document of the scenario that is planned for; ``say`` hears of what was read.

    Raises UsageError, DocumentError or DemandError.
    """
    options = (args.hosts, args.machines, args.vendors, args.arrivals, args.lifetime)
    present = args.from_cluster or args.from_prometheus is not None
    if args.scenario is not None:
        if present or any(each is not None for each in options):
            raise UsageError(
                "a scenario says hosts and load itself; change them by --set, "
                "as in --set load.machines=200"
            )
        return read_file(find(args.scenario))
    if present:
        if args.hosts is not None or args.vendors is not None:
            raise UsageError("--hosts and --vendors are what the cluster says; leave them out")
        return _present(args, say)
    if args.hosts is None or args.machines is None:
        raise UsageError("plan what? Give a scenario, --hosts and --machines, or --from-cluster")
    return document(Demand(*options))


def _present(args: argparse.Namespace, say: Callable[[str], None]) -> Node:
    """The scenario of what there is, boots as long as they were. Tells what was read."""
    # Late: a plan from a file waits for no client of Kubernetes.
    from scenarios.planner import present, prometheus
    from scenarios.planner.boots import LEAST, MOST, boot_scale

    history = None
    try:
        if args.from_prometheus is not None:
            history = prometheus.Prometheus(args.from_prometheus)
        if args.from_cluster:
            with open_cluster(args) as cluster:
                found = present.of_cluster(cluster, more=args.machines is not None)
            if history is not None:
                found = present.with_history(found, prometheus.history(history, args.history))
        else:
            assert history is not None
            found = prometheus.present(history, args.history)
        load = load_of(args.arrivals, args.lifetime)
        made = present.document(found, args.machines, load)
    except (present.PresentError, prometheus.PrometheusError) as error:
        raise UsageError(str(error)) from None
    for text in present.told(found):
        say(text)
    if found.history.quartile:
        scale = boot_scale(made, found.history.quartile)
        end = "; beyond that, no scale is believed" if scale in (LEAST, MOST) else ""
        say(f"so boots take {scale:g} times as long as the vendors' usual ones{end}")
        apply_override(made, f"world.hosts.scale.boot={scale:g}")
    return made
