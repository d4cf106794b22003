"""What a run in virtual time comes to, as digests; as a program, of the texts on standard input."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from dataclasses import asdict
from typing import Any

import orjson

from scenarios.engine.loader import loads
from scenarios.engine.trial import play


def of(text: str, seed: int) -> dict[str, str]:
    """Digests of the trace, of the logs of all that the world saw, and of the verdict."""
    result = play(loads(text), seed)
    evidence = result.evidence
    told = result.to_json()
    del told["wall_seconds"]
    logs: list[list[Any]] = [
        *(evidence.history.writes, evidence.requests, evidence.events, evidence.incidents)
    ]
    return {
        "trace": str(evidence.trace_hash),
        "logs": _digest([[asdict(entry) for entry in log] for log in logs]),
        "result": _digest(told),
        "metrics": _digest(evidence.manager_metrics),
        "ending": f"{evidence.ending} {evidence.ended!r} {evidence.reason}",
    }


def _digest(value: object) -> str:
    return hashlib.blake2b(orjson.dumps(value), digest_size=16).hexdigest()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps([of(text, asked["seed"]) for text in asked["texts"]]) + "\n")
