"""pytest within pytest: what it imports first in a process, it also forgets."""

from __future__ import annotations

from beskar7_harness import report, summary
from beskar7_harness.lab import Lab
from scenarios.engine import keeping
from scenarios.engine.virtual import VirtualWorld

FIRST = (report, summary, Lab, keeping, VirtualWorld)
"""Imported before: there must be one of each, as sushy-tools' application is one as well."""
