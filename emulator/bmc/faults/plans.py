"""Faults of single requests: from the plan of a request that goes well to the one that does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from emulator.bmc import redfish
from emulator.bmc.access import CHALLENGE, LOG_IN
from emulator.bmc.faults.answers import ANSWERS
from emulator.bmc.plan import Plan
from emulator.bmc.redfish import JSON, Request, Response
from emulator.bmc.services.messages import envelope, message
from emulator.faultkinds import Scope
from emulator.faultspec import Fault

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

ACTIONS = ("reset:", "insert-media", "eject-media", "set-boot")
WITH_POWER = ("Systems", "Chassis")
"""The collections whose members show a PowerState."""
Planner = Callable[["Bmc", Request, Fault, Plan], Plan]


def concerns(request: Request, scope: Scope) -> bool:
    """Whether a request is one of those that a scope is about."""
    match scope:
        case "read":
            return request.method == "GET"
        case "system":
            parts = request.path.strip("/").split("/")
            return request.method == "GET" and len(parts) == 4 and parts[2] in WITH_POWER
        case "action":
            return request.meaning.action.startswith(ACTIONS)
        case "log-in":
            return request.method == "POST" and request.path.strip("/") in LOG_IN
        case "session":
            return request.headers.get("X-Auth-Token") is not None
        case "update":
            return request.method == "POST" and request.path.endswith("UpdateService.SimpleUpdate")
    return True


def plan(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    """The plan of a request that ``fault`` hits."""
    planner = PLANS.get(fault.kind)
    if planner is not None:
        return planner(bmc, request, fault, ordinary)
    change = partial(ANSWERS[fault.kind], bmc, fault)
    return replace(ordinary, change=change)


def _error(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    status, retry_after = fault.params["status"], fault.params["retry_after"]
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    refusal = redfish.error(status, f"Injected fault {fault.id}", headers)
    return _unanswered(ordinary, "error", fault, refusal)


def _unanswered(
    ordinary: Plan, outcome: Literal["error", "reset"], fault: Fault, refusal: Response | None
) -> Plan:
    return replace(
        ordinary,
        before=ordinary.before + ordinary.after,
        after=0.0,
        outcome=outcome,
        perform=fault.params.get("perform", False),
        refusal=refusal,
    )


def _reset(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return _unanswered(ordinary, "reset", fault, None)


def _hang(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    perform = fault.params.get("perform", False)
    return replace(ordinary, before=0.0, after=0.0, outcome="hang", perform=perform)


def _loss(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    way = fault.params["direction"]
    if way == "both":
        rng = bmc.fleet.runtime.rng(f"fault/{fault.id}/{bmc.name}/way")
        way = "answers" if rng.random() < 0.5 else "calls"
    return replace(ordinary, ends=None, outcome="hang", perform=way == "answers")


def _hang_in_body(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, share=fault.params["share"], then="hang")


def _truncation(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, share=fault.params["share"], then="close")


def _drip(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, rate=min(ordinary.rate, fault.params["rate"]))


def _sessions_taken(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    body = envelope([message("SessionLimitExceeded")])
    refusal = Response(bmc.personality.limits.session_refusal, {"Content-Type": JSON}, body)
    return _unanswered(ordinary, "error", fault, refusal)


def _session_expiry(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    sessions = bmc.drivers.peek("sessions")
    if sessions is not None:
        token = request.headers.get("X-Auth-Token")
        for ident, session in list(sessions.members.items()):
            if session.token == token:
                del sessions.members[ident]
    return ordinary


def _lost(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, effect="never")


def _late(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, effect="late", delay=fault.params["delay"])


def _twice(bmc: Bmc, request: Request, fault: Fault, ordinary: Plan) -> Plan:
    return replace(ordinary, effect="twice", delay=fault.params["delay"])


PLANS: Mapping[str, Planner] = {
    "hang": _hang,
    "reset": _reset,
    "loss": _loss,
    "hang-in-body": _hang_in_body,
    "truncation": _truncation,
    "drip": _drip,
    "error": _error,
    "session-exhaustion": _sessions_taken,
    "session-expiry": _session_expiry,
    "lost-action": _lost,
    "late-action": _late,
    "double-action": _twice,
    "unreachable": _hang,
}
