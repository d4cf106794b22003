"""Who asks: bearer tokens of users, and of service accounts."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import hmac
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from beskar7.api.errors import NotFound, Unauthorized
from beskar7.api.kinds import Kind
from emulator.kube.store.store import Store
from emulator.privatefiles import is_private

SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
ISSUER = "https://kubernetes.default.svc"
_ACCOUNT_PREFIX = "system:serviceaccount:"
_HEADER = {"alg": "HS256", "typ": "JWT"}
_MAX_TOKEN = 8192  # characters
_MAX_USERS = 10_000
_CACHE = 1024


class BadTokens(ValueError):
    """The token file cannot be used; ``args[0]`` says why."""


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""

    def info(self) -> dict[str, Any]:
        """``authentication/v1`` UserInfo."""
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        return {key: value for key, value in found.items() if value}


ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


def account_user(namespace: str, name: str, uid: str = "") -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid)


def read_tokens(path: Path) -> dict[str, User]:
    """kube-apiserver's ``--token-auth-file``: lines of ``token,user,uid,"group1,group2"``.

    Raises :class:`BadTokens`, which never quotes a token, and ``OSError``.
    """
    if not is_private(path):
        raise BadTokens(f"{path}: must belong to you, and only you may read it (chmod 600)")
    found: dict[str, User] = {}
    text = path.read_text(encoding="utf-8")
    for number, row in enumerate(csv.reader(io.StringIO(text), skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3 or not row[0] or not row[1]:
            raise BadTokens(f'{path}, line {number}: must be token,user,uid,"group1,group2"')
        groups = [group.strip() for group in row[3].split(",")] if len(row) > 3 else []
        groups = [*filter(None, groups), AUTHENTICATED]
        if row[0] in found:
            raise BadTokens(f"{path}, line {number}: the token is there twice")
        found[row[0]] = User(row[1], tuple(dict.fromkeys(groups)), row[2])
        if len(found) > _MAX_USERS:
            raise BadTokens(f"{path}: more than {_MAX_USERS} tokens")
    return found


class Authenticator:
    """Tokens of users are given; those of service accounts are signed, and die with the account.

    ``key`` signs them; ``store`` holds the accounts.
    """

    def __init__(self, store: Store, key: bytes, tokens: dict[str, User]) -> None:
        self._store = store
        self._key = key
        self._users = {_digest(token): user for token, user in tokens.items()}
        self._claims: dict[bytes, dict[str, Any]] = {}

    def authenticate(self, header: str) -> User:
        """The user of an Authorization header. Raises ``Unauthorized``."""
        scheme, _, token = header.partition(" ")
        user = self.review(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise Unauthorized("Unauthorized")
        return user

    def review(self, token: str) -> User | None:
        """The token's user; None when nobody's. Looked up by digest, which betrays no prefix."""
        if not token or len(token) > _MAX_TOKEN:
            return None
        digest = _digest(token)
        user = self._users.get(digest)
        if user is not None:
            return user
        claims = self._claims.get(digest)
        if claims is None:
            claims = self._verify(token)
            if claims is None:
                return None
            if len(self._claims) >= _CACHE:
                self._claims.clear()
            self._claims[digest] = claims
        return self._account(claims)

    def issue(self, namespace: str, name: str, seconds: int) -> tuple[str, float]:
        """A token for a service account, and when it expires (seconds since the epoch).

        Raises ``NotFound`` when there is no such account.
        """
        account = self._store.get(SERVICE_ACCOUNT, namespace, name)
        now = self._store.runtime.wall()
        claims = {
            "aud": [ISSUER],
            "exp": int(now) + seconds,
            "iat": int(now),
            "iss": ISSUER,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": account.uid},
            },
            "nbf": int(now),
            "sub": f"{_ACCOUNT_PREFIX}{namespace}:{name}",
        }
        signed = f"{_encode(_HEADER)}.{_encode(claims)}"
        return f"{signed}.{self._sign(signed)}", now + seconds

    def _sign(self, signed: str) -> str:
        return _base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))

    def _verify(self, token: str) -> dict[str, Any] | None:
        signed, _, signature = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(self._sign(signed), signature):
            return None
        try:
            payload = signed.split(".")[1]
            claims: dict[str, Any] = orjson.loads(
                base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            )
        except (IndexError, binascii.Error, ValueError):
            return None
        return claims

    def _account(self, claims: dict[str, Any]) -> User | None:
        if claims["exp"] <= self._store.runtime.wall():
            return None
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        try:
            living = self._store.get(SERVICE_ACCOUNT, namespace, account["name"])
        except NotFound:
            return None
        if living.uid != account["uid"]:
            return None
        return account_user(namespace, account["name"], living.uid)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _encode(claims: dict[str, Any]) -> str:
    return _base64(orjson.dumps(claims))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
