"""The only door to time, randomness and concurrency. See :mod:`beskar7.runtime.protocol`."""

from random import Random

from beskar7.runtime.deadline import Deadline, DeadlineExceeded
from beskar7.runtime.live import LiveRuntime
from beskar7.runtime.protocol import (
    Condition,
    Event,
    Lock,
    Queue,
    QueueEmpty,
    QueueFull,
    Runtime,
    RuntimeClosed,
    Task,
    Timer,
)
from beskar7.runtime.virtual import VirtualRuntime

__all__ = [
    "Condition",
    "Deadline",
    "DeadlineExceeded",
    "Event",
    "LiveRuntime",
    "Lock",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "Random",
    "Runtime",
    "RuntimeClosed",
    "Task",
    "Timer",
    "VirtualRuntime",
]
