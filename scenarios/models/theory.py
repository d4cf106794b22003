"""Exact results of queueing theory, as oracles for the models.

All are of the steady state, with Poisson arrivals where nothing else is said. Rates are per
second, times seconds, lengths numbers of jobs. Each function raises ValueError for a negative or
missing rate, and for a queue that has no steady state.

Sources: Kleinrock, Queueing Systems I (1975), chapters 3 and 5: Erlang C, M/M/c, the finite
source (his M/M/m//M), Pollaczek-Khinchine. Little, Operations Research 9 (1961), L = lambda W.
Takagi, Queueing Analysis I (1991), section 2.2: a server that goes away after each service.
Fuhrmann and Cooper, Operations Research 33 (1985): what vacations add to an M/G/1. Franx,
Operations Research Letters 29 (2001): the waiting time of an M/D/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Steady:
    """Means of a steady state.

    ``utilisation``: share of the servers' time in which they serve, 0 to 1. ``throughput``: jobs
    that leave in a second. ``waiting`` and ``queue``: a job's time before its service, and how
    many are in it. ``sojourn`` and ``jobs``: the same with the service.
    """

    utilisation: float
    throughput: float
    waiting: float
    sojourn: float

    @property
    def queue(self) -> float:
        return self.throughput * self.waiting

    @property
    def jobs(self) -> float:
        return self.throughput * self.sojourn


def erlang_b(servers: int, load: float) -> float:
    """Share of jobs that find all ``servers`` busy when none may wait; ``load`` in erlangs."""
    _require(servers >= 1 and load >= 0.0, f"{servers} servers, {load:g} erlangs")
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Share of jobs that have to wait in an M/M/c; ``load`` in erlangs, less than ``servers``."""
    _require(load < servers, f"{load:g} erlangs for {servers} servers: no steady state")
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1.0 - blocked))


def mmc(arrivals: float, service: float, servers: int) -> Steady:
    """M/M/c: ``service`` is the mean time of one."""
    load = _load(arrivals, service)
    waiting = erlang_c(servers, load) * service / (servers - load)
    return Steady(load / servers, arrivals, waiting, waiting + service)


def mmc_waiting_quantile(arrivals: float, service: float, servers: int, share: float) -> float:
    """The time that a ``share`` (0 to 1, not 1) of the jobs of an M/M/c wait at most."""
    _require(0.0 <= share < 1.0, f"a share of {share:g}")
    load = _load(arrivals, service)
    late = erlang_c(servers, load)
    if 1.0 - share >= late:
        return 0.0
    return math.log(late / (1.0 - share)) * service / (servers - load)


def mg1(arrivals: float, service: float, variation: float) -> Steady:
    """M/G/1 (Pollaczek-Khinchine). ``variation``: the service time's squared coefficient of
    variation, no unit: 1 for M/M/1, 0 for M/D/1."""
    return mg1_cooldown(arrivals, service, variation, 0.0)


def md1(arrivals: float, service: float) -> Steady:
    """M/D/1: every service takes equally long."""
    return mg1(arrivals, service, 0.0)


def md1_waiting_share(arrivals: float, service: float, seconds: float) -> float:
    """The share of the jobs of an M/D/1 that wait for ``seconds`` at most; 0 for less than none.

    Erlang's sum of 1909 has terms of changing sign, which cancel to nothing but rounding at long
    waits; Franx's has none.
    """
    load = _load(arrivals, service)
    _require(load < 1.0, f"{load:g} erlangs for 1 server: no steady state")
    if seconds < 0.0:
        return 0.0
    services = math.floor(seconds / service) + 1
    most_waiting = list(accumulate(_md1_queue(load, services)))
    mean = arrivals * (services * service - seconds)
    return math.fsum(
        most_waiting[services - 1 - come] * share
        for come, share in enumerate(_poisson(mean, services))
    )


def _md1_queue(load: float, most: int) -> list[float]:
    """Shares of time in which 0 to ``most`` - 1 jobs wait in an M/D/1 (Ramaswami's recursion)."""
    come = _poisson(load, most + 2)
    at_least = [1.0 - before for before in accumulate(come, initial=0.0)]
    inside = [1.0 - load]
    for jobs in range(1, most + 1):
        flow = inside[0] * at_least[jobs] + math.fsum(
            inside[fewer] * at_least[jobs + 1 - fewer] for fewer in range(1, jobs)
        )
        inside.append(flow / come[0])
    return [inside[0] + inside[1], *inside[2:]]


def _poisson(mean: float, most: int) -> list[float]:
    """The chances of 0 to ``most`` - 1 arrivals where ``mean`` are expected."""
    found = [math.exp(-mean)]
    for count in range(1, most):
        found.append(found[-1] * mean / count)
    return found


def mg1_vacations(
    arrivals: float, service: float, variation: float, vacation: float, vacation_variation: float
) -> Steady:
    """M/G/1 whose server goes away whenever nobody is there, and again until somebody is.

    ``vacation``: mean time of one; ``vacation_variation``: its squared coefficient of variation.
    What is added to the wait does not depend on the load: what is left of the vacation that an
    arrival meets.
    """
    _require(vacation > 0.0 and vacation_variation >= 0.0, "a vacation above 0, not negative")
    plain = mg1(arrivals, service, variation)
    waiting = plain.waiting + vacation * (1.0 + vacation_variation) / 2.0
    return Steady(plain.utilisation, arrivals, waiting, waiting + service)


def jobs_at_rest(arrivals: float, service: float, variation: float, cooldown: float) -> float:
    """How many jobs are there while the server of :func:`mg1_cooldown` does not serve: the mean.

    By Fuhrmann and Cooper's decomposition that is all in which it differs from an M/G/1 without
    cooldown, whatever makes the server rest.
    """
    resting = mg1_cooldown(arrivals, service, variation, cooldown)
    return resting.jobs - mg1(arrivals, service, variation).jobs


def mg1_cooldown(arrivals: float, service: float, variation: float, cooldown: float) -> Steady:
    """M/G/1 whose server rests for ``cooldown`` after each service, whether anybody waits or not.

    As if each service lasted so much longer, but for the one who leaves at its end: one BMC.
    """
    _require(variation >= 0.0 and cooldown >= 0.0, "a variation and a cooldown not below 0")
    load = _load(arrivals, service)
    held = service + cooldown
    _require(arrivals * held < 1.0, f"{arrivals * held:g} erlangs for 1 server: no steady state")
    second_moment = variation * service**2 + held**2
    waiting = arrivals * second_moment / (2.0 * (1.0 - arrivals * held))
    return Steady(load, arrivals, waiting, waiting + service)


def finite_source(sources: int, thinking: float, service: float, servers: int) -> Steady:
    """M/M/c//N: each of ``sources`` asks again ``thinking`` after its last service.

    Both times are means of exponential distributions. It always has a steady state.
    """
    _require(sources >= 1 and servers >= 1, f"{sources} sources, {servers} servers")
    _require(thinking > 0.0 and service > 0.0, "times above 0")
    shares = [1.0]
    for inside in range(1, sources + 1):
        ratio = (sources - inside + 1) * service / (thinking * min(inside, servers))
        shares.append(shares[-1] * ratio)
    total = math.fsum(shares)
    jobs = math.fsum(count * share for count, share in enumerate(shares)) / total
    busy = math.fsum(min(count, servers) * share for count, share in enumerate(shares)) / total
    throughput = busy / service
    sojourn = jobs / throughput
    return Steady(busy / servers, throughput, sojourn - service, sojourn)


def ceiling(service: float, cooldown: float) -> float:
    """Operations in a second that one BMC can bear at most."""
    _require(service + cooldown > 0.0, "a time above 0")
    return 1.0 / (service + cooldown)


def _load(arrivals: float, service: float) -> float:
    _require(arrivals > 0.0 and service > 0.0, f"arrivals {arrivals:g}/s, service {service:g} s")
    return arrivals * service


def _require(holds: bool, said: str) -> None:
    if not holds:
        raise ValueError(said)
