"""Memory that a pod loses: a process beside its container's, which holds what it is told to.

As ``python -m emulator.kube.workloads.ballast`` it holds as many MiB as the last line of its
standard input says, never fewer than before, and ends with its input. It imports nothing, so as
to weigh little itself.
"""

import sys

PIECE = 2**20
MOST = 2048
"""MiB; without a limit a leak ends here, before the machine is out of memory."""


def main() -> None:
    held: list[bytearray] = []
    for line in sys.stdin:
        while len(held) < min(int(line), MOST):
            # Not zero: pages that were never written are not resident.
            held.append(bytearray(b"\x01" * PIECE))


if __name__ == "__main__":
    main()
