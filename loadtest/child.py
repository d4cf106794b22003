"""What the process of a load test and who starts it as a child agree on."""

from __future__ import annotations

METRICS_URLS = "BESKAR7_METRICS_URLS"
"""Environment variable: where the managers' metrics are, http URLs between spaces."""
PARENT = "BESKAR7_LOAD_PARENT"
"""Environment variable: the process that this test belongs to; when that is gone, it ends."""
BAD_INPUT = 2
"""Exit code when the test could not be run as asked."""
COMPLAINT = "load test: "
"""How the line on standard error begins that says why."""
STOP_SECONDS = 30.0
"""How long users may finish the machine in hand when the test is broken off."""
LOOPBACK = "127.0.0.1"
