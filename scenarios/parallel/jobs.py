"""Plays tasks beside each other by joblib: in processes here, or on a Dask or Ray cluster.

Every command that plays many runs does it by :func:`play_all`; its options are in
:mod:`scenarios.parallel.options`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeVar

import joblib

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")
START_SECONDS = 30.0
"""Within which a scheduler has to answer."""
CHUNK = 4
"""Tasks a worker and round on Ray, whose backend cannot give back results one by one."""

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class BackendError(Exception):
    """The backend is not installed or does not answer; ``args[0]`` is for the user's eyes."""


@dataclass(frozen=True, slots=True)
class Workers:
    """``jobs``: how many; -1 for all that there are, None for one per core (-1 with a scheduler).

    ``scheduler``: the address of a Dask scheduler or a Ray cluster; without, workers of this
    machine.
    """

    jobs: int | None = None
    backend: Backend = "loky"
    scheduler: str | None = None

    @property
    def count(self) -> int:
        """``jobs``, as joblib takes it."""
        return self.jobs or (os.cpu_count() or 1 if self.scheduler is None else -1)


def play_all(
    function: Callable[[TaskT], ResultT],
    tasks: Iterable[TaskT],
    workers: Workers = Workers(),
    *,
    after: Callable[[], None] = lambda: None,
) -> Generator[ResultT, None, None]:
    """``function`` of each task, as the results come: in no order, but with one job in that of
    ``tasks``, which are read only as workers become free.

    ``function`` and the tasks have to be such as pickle can carry; what ``function`` raises ends
    it all. ``after`` is called in the end where this process did the work itself. Whoever stops
    early closes the iterator, which ends the workers.

    Raises:
        BackendError: there is no such backend.
    """
    jobs, backend, scheduler = workers.count, workers.backend, workers.scheduler
    if backend == "loky" and scheduler is not None:
        raise BackendError("--scheduler belongs to --backend dask or ray")
    if backend == "loky" and jobs == 1:
        # One worker beside this process would only cost its start.
        with contextlib.ExitStack() as stack:
            stack.callback(after)
            for task in tasks:
                yield function(task)
        return
    calls = (joblib.delayed(function)(task) for task in tasks)
    with _BACKENDS[backend](jobs, scheduler), contextlib.ExitStack() as stack:
        if backend == "ray":
            parallel = joblib.Parallel(n_jobs=jobs, batch_size=1)
            while chunk := list(islice(calls, CHUNK * abs(jobs))):
                yield from parallel(chunk)
            return
        parallel = joblib.Parallel(
            n_jobs=jobs, pre_dispatch="2*n_jobs", batch_size=1, return_as="generator_unordered"
        )
        results = parallel(calls)
        stack.callback(results.close)
        yield from results


Round = Callable[[Callable[[TaskT], ResultT], Iterable[TaskT]], list[ResultT]]
"""Has a function done for each task of a round; the results in the tasks' order."""


class Crew:
    """Workers that stay from one round of tasks to the next. Functions and tasks have to be such
    as pickle can carry; what a function raises ends all of it."""

    def round(self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]) -> list[ResultT]:
        """The function's results, in the tasks' order."""
        return list(map(function, tasks))

    def begin(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]
    ) -> Callable[[], list[ResultT]]:
        """A round that goes on beside the next ones, and before them; call what comes back for its
        results. Where there are no workers, it is played then."""
        return partial(self.round, function, tasks)


class _Joblib(Crew):
    """Within the backend that is set; what is begun there is played when it is asked for."""

    def __init__(self, jobs: int, stack: contextlib.ExitStack) -> None:
        self._jobs = jobs
        # Open over all rounds: each would else make a folder for memory that it shares, in vain.
        self._parallel = stack.enter_context(
            joblib.Parallel(n_jobs=jobs, batch_size=1, max_nbytes=None)
        )

    def round(self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]) -> list[ResultT]:
        found: list[ResultT] = self._parallel(joblib.delayed(function)(task) for task in tasks)
        return found


class _Loky(_Joblib):
    def begin(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT]
    ) -> Callable[[], list[ResultT]]:
        # Joblib plays one round at a time; its workers do not mind.
        executor = joblib.externals.loky.get_reusable_executor(self._jobs, reuse=True)
        futures = [executor.submit(function, task) for task in tasks]
        return lambda: [future.result() for future in futures]


@contextlib.contextmanager
def crew(workers: Workers = Workers()) -> Iterator[Crew]:
    """For whoever has to see a round's results before it knows the tasks of the next.

    Raises:
        BackendError: there is no such backend.
    """
    jobs, backend, scheduler = workers.count, workers.backend, workers.scheduler
    if backend == "loky" and scheduler is not None:
        raise BackendError("--scheduler belongs to --backend dask or ray")
    if backend == "loky" and jobs == 1:
        yield Crew()
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(_BACKENDS[backend](jobs, scheduler))
        yield (_Loky if backend == "loky" else _Joblib)(jobs, stack)


@contextlib.contextmanager
def _loky(jobs: int, scheduler: str | None) -> Iterator[None]:
    try:
        with joblib.parallel_config(backend="loky"):
            yield
    finally:
        # Its workers would wait five minutes for more, and their children with them.
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextlib.contextmanager
def _dask(jobs: int, scheduler: str | None) -> Iterator[None]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BackendError(
            "--backend dask needs the package distributed: pip install 'beskar7-harness[dask]'"
        ) from None
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            cluster: Any = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=40,
            )
            stack.enter_context(cluster)
        else:
            cluster = scheduler
        try:
            client = stack.enter_context(Client(cluster, timeout=START_SECONDS))
        except (OSError, ValueError) as error:
            raise BackendError(f"--scheduler {scheduler}: {error}") from None
        stack.enter_context(joblib.parallel_config(backend="dask", client=client))
        yield


@contextlib.contextmanager
def _ray(jobs: int, scheduler: str | None) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise BackendError("--backend ray needs the package ray: pip install ray") from None
    register_ray()
    try:
        ray.init(address=scheduler, num_cpus=None if scheduler else jobs, include_dashboard=False)
    except (ConnectionError, ValueError) as error:
        raise BackendError(f"--scheduler {scheduler}: {error}") from None
    try:
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()


_BACKENDS: dict[Backend, Callable[[int, str | None], AbstractContextManager[None]]] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}
