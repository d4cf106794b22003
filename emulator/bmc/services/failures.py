"""How the application says no: Redfish messages, and ``Allow`` where a method is not allowed."""

from __future__ import annotations

import logging

import flask
from sushy_tools.error import AliasAccessError, FishyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from emulator.bmc.services.messages import BY_STATUS, Refused, envelope, message

log = logging.getLogger(__name__)


def register(application: flask.Flask) -> None:
    # Upstream's handler loses the headers of an error and knows no message but one. A second
    # handler for the same class replaces it.
    application.register_error_handler(Exception, answer)


def answer(problem: Exception) -> flask.Response:
    """Any exception of a route as a Redfish error."""
    if isinstance(problem, Refused):
        return _json(problem.code, envelope(problem.entries), problem.headers)
    if isinstance(problem, AliasAccessError):
        # A name where a UUID belongs. Redirecting, as upstream does, would make two URIs of one.
        return _json(404, envelope([message("ResourceMissingAtURI", flask.request.path)]), {})
    if not isinstance(problem, FishyError | HTTPException):
        log.error("%s %s failed", flask.request.method, flask.request.path, exc_info=problem)
    status = int(getattr(problem, "code", None) or 500)
    headers = {}
    if isinstance(problem, MethodNotAllowed) and problem.valid_methods:
        headers["Allow"] = ", ".join(sorted(set(problem.valid_methods) - {"OPTIONS"}))
    key = BY_STATUS.get(status, "InternalError" if status == 500 else "GeneralError")
    args = (flask.request.path,) if key == "ResourceMissingAtURI" else ()
    said = "" if isinstance(problem, HTTPException) or status == 500 else str(problem)
    return _json(status, envelope([message(key, *args)], said), headers)


def _json(status: int, body: bytes, headers: dict[str, str]) -> flask.Response:
    return flask.Response(body, status, headers, content_type="application/json")
