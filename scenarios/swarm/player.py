"""A child process that plays seeds: a task a line on stdin, a record a line on stdout.

``python -m scenarios.swarm.player``; :mod:`scenarios.swarm.worker` starts it. A run that loops for
ever, eats the memory or takes its process down does so here, and costs the swarm one seed.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from typing import BinaryIO

import orjson

from beskar7.runtime import LiveRuntime, Queue
from scenarios.swarm.records import Task
from scenarios.swarm.seedtrial import play_task


def main() -> int:
    # Whoever started this process ends it; Ctrl-C on the terminal is not for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # SIGABRT ends a run that hangs, and then tells where.
    faulthandler.enable(all_threads=False)
    logging.disable(logging.CRITICAL)
    # What a library prints must not mix with the records.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        runtime = LiveRuntime()
        tasks: Queue[bytes] = runtime.queue()
        runtime.spawn(_read, sys.stdin.buffer, tasks, name="tasks")
        answers.write(b"{}\n")
        answers.flush()
        while True:
            record = play_task(Task(**orjson.loads(tasks.get())))
            answers.write(orjson.dumps(record.to_json()) + b"\n")
            answers.flush()


def _read(stdin: BinaryIO, tasks: Queue[bytes]) -> None:
    for line in stdin:
        tasks.put(line)
    # Whoever gave the tasks is gone, in whatever way; a run that is under way serves nobody.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
