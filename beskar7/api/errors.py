"""Kubernetes API errors, one class per ``Status.reason``; the same classes in every transport."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Root. ``code`` is the HTTP status, ``reason`` the machine-readable ``Status.reason``."""

    code = 500
    reason = "InternalError"

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, code: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.warnings: list[str] = []
        """What the server warns of besides."""
        if code is not None:
            self.code = code

    def status(self) -> dict[str, Any]:
        """The ``v1.Status`` object that an API server answers with."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            body["details"] = self.details
        return body


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    """The resourceVersion or a precondition no longer holds: read again and decide anew."""

    code, reason = 409, "Conflict"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Expired(ApiError):
    """The asked-for resourceVersion was compacted (410): list again."""

    code, reason = 410, "Expired"


class TooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    """Also: the server could not be reached at all."""

    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


def _leaves(cls: type[ApiError]) -> list[type[ApiError]]:
    return [cls, *(leaf for sub in cls.__subclasses__() for leaf in _leaves(sub))]


_BY_REASON = {cls.reason: cls for cls in reversed(_leaves(ApiError))}
_BY_CODE = {cls.code: cls for cls in reversed(_leaves(ApiError))}


def from_status(code: int, status: dict[str, Any]) -> ApiError:
    """The error that a ``v1.Status`` body (or a bare HTTP code) stands for."""
    cls = _BY_REASON.get(status.get("reason") or "") or _BY_CODE.get(code, ApiError)
    return cls(
        status.get("message") or f"HTTP {code}", details=status.get("details") or {}, code=code
    )
