"""The exact results, against each other and against what books tabulate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.models import theory

pytestmark = pytest.mark.unit

RATES = st.floats(0.01, 10.0)
SHARES = st.floats(0.05, 0.95)


def test_erlang_b_is_as_tabulated() -> None:
    # Any table of Erlang B: 10 erlangs offered to 10 and to 20 servers.
    assert theory.erlang_b(10, 10.0) == pytest.approx(0.2146, abs=5e-5)
    assert theory.erlang_b(20, 10.0) == pytest.approx(0.0019, abs=5e-5)


def test_erlang_c_of_one_server_is_its_load() -> None:
    assert theory.erlang_c(1, 0.7) == pytest.approx(0.7)
    assert theory.erlang_c(2, 1.0) == pytest.approx(1 / 3)


@given(service=RATES, load=SHARES)
def test_one_server_is_the_same_by_both_formulas(service: float, load: float) -> None:
    arrivals = load / service
    one, other = theory.mmc(arrivals, service, 1), theory.mg1(arrivals, service, 1.0)
    assert one.waiting == pytest.approx(other.waiting)
    assert one.jobs == pytest.approx(load / (1 - load))


@given(service=RATES, load=SHARES)
def test_constant_service_halves_the_wait(service: float, load: float) -> None:
    arrivals = load / service
    assert theory.md1(arrivals, service).waiting == pytest.approx(
        theory.mg1(arrivals, service, 1.0).waiting / 2
    )


@given(service=RATES, load=SHARES, services=st.floats(0.0, 6.0))
def test_waits_of_an_md1_are_as_erlang_found(service: float, load: float, services: float) -> None:
    arrivals, seconds = load / service, services * service
    terms = []
    for number in range(int(services) + 1):
        ahead = arrivals * (number * service - seconds)
        terms.append(ahead**number / math.factorial(number) * math.exp(-ahead))
    found = theory.md1_waiting_share(arrivals, service, seconds)
    assert found == pytest.approx((1 - load) * math.fsum(terms), abs=1e-9)


@settings(max_examples=5)
@given(service=RATES, load=st.floats(0.1, 0.7))
def test_waits_of_an_md1_have_its_mean(service: float, load: float) -> None:
    arrivals, step = load / service, service / 10
    late = [
        1.0 - theory.md1_waiting_share(arrivals, service, (number + 0.5) * step)
        for number in range(10 * 30)
    ]
    mean = theory.md1(arrivals, service).waiting
    assert math.fsum(late) * step == pytest.approx(mean, rel=0.02)
    assert theory.md1_waiting_share(arrivals, service, -1.0) == 0.0
    assert theory.md1_waiting_share(arrivals, service, 0.0) == pytest.approx(1.0 - load)


@given(service=RATES, load=SHARES, vacation=RATES)
def test_a_vacation_adds_what_is_left_of_it(service: float, load: float, vacation: float) -> None:
    arrivals = load / service
    plain = theory.mg1(arrivals, service, 1.0).waiting
    # What is left of a constant is half of it, of an exponential all of it.
    constant = theory.mg1_vacations(arrivals, service, 1.0, vacation, 0.0)
    exponential = theory.mg1_vacations(arrivals, service, 1.0, vacation, 1.0)
    assert constant.waiting == pytest.approx(plain + vacation / 2)
    assert exponential.waiting == pytest.approx(plain + vacation)


@given(service=RATES, load=SHARES, share=st.floats(0.0, 0.9))
def test_who_waits_while_the_server_rests_grows_with_its_rest(
    service: float, load: float, share: float
) -> None:
    arrivals, cooldown = load * (1 - share) / service, share * service
    resting = theory.jobs_at_rest(arrivals, service, 1.0, cooldown)
    assert resting >= -1e-9
    assert theory.jobs_at_rest(arrivals, service, 1.0, 0.0) == pytest.approx(0.0)
    assert theory.jobs_at_rest(arrivals, service, 1.0, cooldown / 2) <= resting + 1e-9


@settings(max_examples=20)
@given(service=RATES, load=st.floats(0.05, 0.9), servers=st.integers(1, 30))
def test_many_sources_are_a_poisson_stream(service: float, load: float, servers: int) -> None:
    arrivals = load * servers / service
    sources = 5000
    finite = theory.finite_source(sources, sources / arrivals, service, servers)
    steady = theory.mmc(arrivals, service, servers)
    assert finite.utilisation == pytest.approx(steady.utilisation, rel=0.05)


@given(
    sources=st.integers(1, 40),
    thinking=RATES,
    service=RATES,
    servers=st.integers(1, 8),
)
def test_nobody_is_lost_in_a_closed_system(
    sources: int, thinking: float, service: float, servers: int
) -> None:
    found = theory.finite_source(sources, thinking, service, servers)
    # Little's law around the whole circle.
    assert found.throughput * (thinking + found.sojourn) == pytest.approx(sources)
    assert found.utilisation <= 1.0 + 1e-12


def test_a_cooldown_counts_for_who_comes_next_and_not_for_who_leaves() -> None:
    found = theory.mg1_cooldown(0.05, 2.0, 0.0, 8.0)
    as_if = theory.md1(0.05, 10.0)
    assert found.waiting == pytest.approx(as_if.waiting)
    assert found.sojourn == pytest.approx(as_if.waiting + 2.0)
    assert theory.ceiling(2.0, 8.0) == pytest.approx(0.1)


@given(service=RATES, load=SHARES, servers=st.integers(1, 20), share=st.floats(0.0, 0.999))
def test_quantiles_of_the_wait_agree_with_its_mean(
    service: float, load: float, servers: int, share: float
) -> None:
    arrivals = load * servers / service
    waits = theory.mmc_waiting_quantile(arrivals, service, servers, share)
    late = theory.erlang_c(servers, load * servers)
    rate = (servers - load * servers) / service
    assert late * math.exp(-rate * waits) <= 1 - share + 1e-9
    assert theory.mmc(arrivals, service, servers).waiting == pytest.approx(late / rate)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: theory.mmc(2.0, 1.0, 2), "no steady state"),
        (lambda: theory.mg1_cooldown(0.2, 1.0, 1.0, 4.0), "no steady state"),
        (lambda: theory.mmc(0.0, 1.0, 2), "arrivals 0/s"),
        (lambda: theory.erlang_b(0, 1.0), "0 servers"),
        (lambda: theory.mmc_waiting_quantile(1.0, 0.5, 1, 1.0), "a share of 1"),
        (lambda: theory.md1_waiting_share(1.0, 1.0, 5.0), "no steady state"),
        (lambda: theory.mg1_vacations(0.5, 1.0, 1.0, 0.0, 1.0), "a vacation above 0"),
    ],
)
def test_what_has_no_answer_is_refused(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=said):
        call()
