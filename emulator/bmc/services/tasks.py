"""TaskService: what takes its time answers 202, and can be watched.

A task's state is a function of the clock: nothing ticks. What it does at its end is the business
of whoever made it (see ``Fleet.later``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask
import orjson

from emulator.bmc.redfish import timestamp
from emulator.bmc.services import base
from emulator.bmc.services.messages import message, refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

SERVICE = f"{base.ROOT}/TaskService"
TASKS = f"{SERVICE}/Tasks"
MONITORS = f"{SERVICE}/TaskMonitors"
KEPT = 32
"""Tasks remembered; the oldest finished one makes room."""


@dataclass(slots=True)
class Task:
    """One task. ``started`` and ``ends``: ``runtime.now()`` seconds; ``ends`` None: never."""

    id: str
    name: str
    started: float
    ends: float | None
    target: str
    payload: dict[str, Any]
    end_state: str = "Completed"
    cancelled: float | None = None

    @property
    def path(self) -> str:
        return f"{TASKS}/{self.id}"

    @property
    def monitor(self) -> str:
        return f"{MONITORS}/{self.id}"

    def state(self, now: float) -> str:
        if self.cancelled is not None:
            return "Cancelled"
        return "Running" if self.ends is None or now < self.ends else self.end_state

    def percent(self, now: float) -> int:
        if self.cancelled is not None or self.ends is None or self.ends <= self.started:
            return 0 if self.cancelled is not None or self.ends is None else 100
        return max(0, min(100, int(100 * (now - self.started) / (self.ends - self.started))))


class Tasks:
    """The tasks of one BMC; they survive its reboot, as on real ones."""

    def __init__(self, bmc: Bmc) -> None:
        self._count = 0
        self.members: dict[str, Task] = {}

    def start(
        self, name: str, now: float, seconds: float | None, target: str, payload: dict[str, Any]
    ) -> Task:
        """Raises 503 where every task that is remembered still runs."""
        if len(self.members) >= KEPT:
            done = next((t for t in self.members.values() if t.state(now) != "Running"), None)
            if done is None:
                raise refuse(503, "ServiceTemporarilyUnavailable", 60)
            del self.members[done.id]
        self._count += 1
        ends = None if seconds is None else now + seconds
        task = Task(str(self._count), name, now, ends, target, payload)
        self.members[task.id] = task
        return task

    def find(self, ident: str) -> Task:
        task = self.members.get(ident)
        if task is None:
            raise base.missing()
        return task


def accepted(task: Task) -> flask.Response:
    """202 with the task and its monitor."""
    body = show(task)
    headers = {"Location": task.monitor, "Retry-After": "1"}
    return flask.Response(orjson.dumps(body), 202, headers, base.JSON)


def show(task: Task) -> dict[str, Any]:
    running = base.call()
    now, offset = running.now, running.wall - running.now
    state = task.state(now)
    ended = task.cancelled if task.cancelled is not None else task.ends
    body = base.resource(
        task.path,
        "Task.v1_7_4",
        task.id,
        task.name,
        TaskState=state,
        TaskStatus="OK" if state in ("Running", "Completed") else "Warning",
        StartTime=timestamp(task.started + offset),
        PercentComplete=task.percent(now),
        TaskMonitor=task.monitor,
        HidePayload=False,
        Payload={
            "HttpOperation": "POST",
            "TargetUri": task.target,
            "JsonBody": orjson.dumps(task.payload).decode(),
            "HttpHeaders": [],
        },
        Messages=[message("Success")] if state == "Completed" else [],
    )
    if state != "Running" and ended is not None:
        body["EndTime"] = timestamp(ended + offset)
    return body


def _drop(tasks: Tasks, task: Task) -> None:
    """Cancel what runs; forget what is over."""
    now = base.call().now
    if task.state(now) == "Running":
        task.cancelled = now
    else:
        del tasks.members[task.id]


def register(app: flask.Flask) -> None:
    @base.route(app, SERVICE)
    def task_service() -> Any:
        return base.resource(
            SERVICE,
            "TaskService.v1_2_1",
            "TaskService",
            "Task Service",
            DateTime=timestamp(base.call().wall),
            CompletedTaskOverWritePolicy="Oldest",
            LifeCycleEventOnTaskStateChange=False,
            Status=base.OK,
            ServiceEnabled=True,
            Tasks=base.link(TASKS),
        )

    @base.route(app, TASKS)
    def tasks_collection() -> Any:
        tasks: Tasks = base.state("tasks")
        return base.collection(TASKS, "Task", "Tasks", [t.path for t in tasks.members.values()])

    # Upstream's only task, of fixed content, gives way to the rule for all.
    @base.route(app, f"{TASKS}/42")
    def task_42() -> Any:
        return show(base.state("tasks").find("42"))

    @base.route(app, f"{TASKS}/<ident>", "GET", "DELETE")
    def task(ident: str) -> Any:
        tasks: Tasks = base.state("tasks")
        found = tasks.find(ident)
        if flask.request.method == "DELETE":
            return _drop(tasks, found)
        return show(found)

    @base.route(app, f"{MONITORS}/<ident>", "GET", "DELETE")
    def task_monitor(ident: str) -> Any:
        tasks: Tasks = base.state("tasks")
        found = tasks.find(ident)
        if flask.request.method == "DELETE":
            return _drop(tasks, found)
        if found.state(base.call().now) == "Running":
            return accepted(found)
        return {"@Message.ExtendedInfo": [message("Success")]}, 200, {}
