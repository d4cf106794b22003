"""Lists in pages, all of one version, and lists of an exact version.

Nothing is kept between pages: the state at a version is the present one with the newer changes of
the bounded history undone. When the history no longer reaches back, the token has expired.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import orjson

from beskar7.api.errors import BadRequest, Expired, Invalid
from beskar7.api.kinds import Kind
from emulator.kube.api.http import Target
from emulator.kube.store.addressing import parse_version
from emulator.kube.store.database import Database, Key
from emulator.kube.store.failures import too_new
from emulator.kube.store.history import Entry
from emulator.kube.store.selectors import Predicate

NOW = -1
"""The version in a token that goes on with what there is now, whatever was listed before."""
_MAX_LIMIT = 2**31 - 1
_MAX_TOKEN = 4096  # characters
_FORM = "meta.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list asks for; ``version`` 0 means the newest."""

    limit: int
    version: int
    exact: bool
    after: Key | None
    """Of the last object that the client has."""

    @classmethod
    def read(cls, target: Target) -> ListOptions:
        """Raises ``BadRequest`` and ``Invalid``."""
        limit = target.number("limit", high=_MAX_LIMIT) or 0
        token = target.query.get("continue", "")
        version = parse_version(target.query.get("resourceVersion", ""))
        match = target.query.get("resourceVersionMatch", "")
        if target.query.get("sendInitialEvents"):
            raise _refused("sendInitialEvents", "sendInitialEvents is forbidden for list")
        if match:
            _check_match(match, target.query.get("resourceVersion", ""), token)
        if token:
            if version:
                raise BadRequest("specifying resource version is not allowed when using continue")
            at, after = decode_token(token)
            return cls(limit, at, exact=at != NOW, after=after)
        # With a limit, a version without a match is meant exactly: the rule of older clients.
        exact = match == "Exact" or (limit > 0 and version > 0 and not match)
        return cls(limit, version, exact, None)


def _check_match(match: str, version: str, token: str) -> None:
    field = "resourceVersionMatch"
    if token:
        raise _refused(field, "resourceVersionMatch is forbidden when continue is provided")
    if not version:
        raise _refused(
            field, "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if match not in ("Exact", "NotOlderThan"):
        raise Invalid(
            f'ListOptions.meta.k8s.io "" is invalid: {field}: Unsupported value: '
            f'"{match[:40]}": supported values: "Exact", "NotOlderThan", ""'
        )
    if match == "Exact" and version == "0":
        raise _refused(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def _refused(field: str, why: str) -> Invalid:
    return Invalid(f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {why}')


@dataclass(frozen=True, slots=True)
class Page:
    """``token`` is "" on the last page; ``remaining`` None where it is not known."""

    entries: list[Entry]
    version: int
    token: str = ""
    remaining: int | None = None

    @property
    def meta(self) -> dict[str, Any]:
        """The list's metadata."""
        found: dict[str, Any] = {"resourceVersion": str(self.version)}
        if self.token:
            found["continue"] = self.token
        if self.remaining:
            found["remainingItemCount"] = self.remaining
        return found


def page(
    store: Database,
    kind: Kind,
    namespace: str | None,
    predicate: Predicate | None,
    asked: ListOptions,
) -> Page:
    """The page that is asked for.

    Raises ``Expired`` for a version that the history no longer reaches (with the token to go on
    from the present state in the Status), ``Timeout`` for one that is still to come.
    """
    newest = store.resource_version
    if asked.version > newest:
        raise too_new(asked.version, newest)
    version = asked.version if asked.exact else newest
    if version == newest:
        entries = store.list(kind, namespace)
    else:
        try:
            entries = snapshot(store, kind, namespace, version)
        except Expired as error:
            if asked.after is None:
                raise
            raise ContinueExpired(encode_token(NOW, asked.after)) from error
    if asked.after is not None:
        start = bisect_right(entries, asked.after, key=_key)
        entries = entries[start:]
    return cut(entries, predicate, asked.limit, version)


def cut(entries: list[Entry], predicate: Predicate | None, limit: int, version: int) -> Page:
    """The first ``limit`` of the entries that the predicate selects; all for a limit of 0."""
    if not limit:
        if predicate is not None:
            entries = [entry for entry in entries if predicate(entry.obj)]
        return Page(entries, version)
    if predicate is None:
        chosen, remaining = entries[:limit], len(entries) - limit
        more: int | None = remaining
    else:
        # How many of the rest match is not counted, as by the API server.
        chosen, remaining, more = [], 0, None
        for index, entry in enumerate(entries):
            if len(chosen) == limit:
                remaining = len(entries) - index
                break
            if predicate(entry.obj):
                chosen.append(entry)
    if remaining <= 0:
        return Page(chosen, version)
    last = chosen[-1]
    return Page(chosen, version, encode_token(version, (last.namespace, last.name)), more)


def snapshot(store: Database, kind: Kind, namespace: str | None, version: int) -> list[Entry]:
    """The objects as they were at the version, in order. Raises ``Expired``."""
    before: dict[Key, Entry | None] = {}
    for change in reversed(store.history.since(kind, version)):
        key = _key(change.entry)
        if not namespace or key[0] == namespace:
            before[key] = change.previous
    entries = store.list(kind, namespace)
    for key, entry in before.items():
        at = bisect_left(entries, key, key=_key)
        if at < len(entries) and _key(entries[at]) == key:
            entries[at : at + 1] = [] if entry is None else [entry]
        elif entry is not None:
            entries.insert(at, entry)
    return entries


def _key(entry: Entry) -> Key:
    return entry.namespace, entry.name


def encode_token(version: int, last: Key) -> str:
    start = f"{last[0]}/{last[1]}"
    body = orjson.dumps({"v": _FORM, "rv": version, "start": start})
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, Key]:
    """Version and last key. Raises ``BadRequest`` for what is no token of ours."""
    refused = BadRequest("continue key is not valid: the token was not made by this server")
    if len(token) > _MAX_TOKEN:
        raise refused
    try:
        body = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise refused from error
    if not isinstance(body, dict) or body.get("v") != _FORM:
        raise refused
    version, start = body.get("rv"), body.get("start")
    if type(version) is not int or not isinstance(start, str) or "/" not in start:
        raise refused
    if version < NOW or version == 0 or version >= 2**63:
        raise refused
    namespace, _, name = start.partition("/")
    return version, (namespace, name)


class ContinueExpired(Expired):
    """The pages' version is forgotten; ``token`` goes on with the present state."""

    def __init__(self, token: str) -> None:
        super().__init__(
            "The provided continue parameter is too old to display a consistent list result. You "
            "can start a new list without the continue parameter, or use the continue token in "
            "this response to retrieve the remainder of the results. Continuing with the provided "
            "token results in an inconsistent list - objects that were created, modified, or "
            "deleted between the time the first chunk was returned and now may show up in the "
            "list."
        )
        self.token = token

    def status(self) -> dict[str, Any]:
        return {**super().status(), "metadata": {"continue": self.token}}
