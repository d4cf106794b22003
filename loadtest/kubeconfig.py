"""Reads of a kubeconfig what a client needs: the server, how to trust it, who we are."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

MAX_BYTES = 1 << 20
"""A kubeconfig beyond this is not one."""


class KubeconfigError(Exception):
    """What is wrong with the file, and where; meant for the person who named it."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server. Secrets are kept out of ``repr``."""

    server: str
    namespace: str = "default"
    insecure: bool = False
    ca: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS side, None for plain HTTP. Raises KubeconfigError for a certificate unread."""
        if not self.server.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.certificate and self.key:
                # ssl reads key pairs from files only; mkstemp makes it 0600.
                handle, name = tempfile.mkstemp(suffix=".pem")
                try:
                    with os.fdopen(handle, "wb") as file:
                        file.write(self.certificate + b"\n" + self.key)
                    context.load_cert_chain(name)
                finally:
                    Path(name).unlink()
        except (ssl.SSLError, ValueError) as error:
            raise KubeconfigError(f"a certificate or key cannot be read: {error}") from None
        return context


def load(path: str | os.PathLike[str]) -> Access:
    """The current context of a kubeconfig file. Raises KubeconfigError."""
    file = Path(path).expanduser()
    if os.pathsep in str(path) and not file.exists():
        raise KubeconfigError(f"{path}: a list of files; name one of them")
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise KubeconfigError(f"{file}: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise KubeconfigError(f"{file}: larger than {MAX_BYTES} bytes")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"{file}:{where} not YAML") from None
    try:
        return parse(document, file.parent)
    except KubeconfigError as error:
        raise KubeconfigError(f"{file}: {error}") from None


def parse(document: Any, directory: Path) -> Access:
    """The current context of a kubeconfig document; relative paths in it are in ``directory``."""
    if not isinstance(document, dict):
        raise KubeconfigError("not a kubeconfig: not a mapping")
    current = document.get("current-context")
    if not current:
        raise KubeconfigError("current-context is not set")
    context = _named(document, "contexts", "context", current)
    cluster = _named(document, "clusters", "cluster", _text(context, "cluster", "context"))
    user = _named(document, "users", "user", context["user"]) if context.get("user") else {}
    for unsupported in ("exec", "auth-provider", "username"):
        if unsupported in user:
            raise KubeconfigError(
                f"user {context['user']}: {unsupported} is not supported; use a token or a"
                " client certificate"
            )
    token = user.get("token")
    if token is None and user.get("tokenFile"):
        token = _file(directory, user["tokenFile"], "tokenFile").decode().strip()
    if token is not None and (not isinstance(token, str) or not token.isprintable()):
        raise KubeconfigError(f"user {context['user']}: the token is not one line of text")
    certificate = _data(user, "client-certificate", directory)
    key = _data(user, "client-key", directory)
    if (certificate is None) != (key is None):
        raise KubeconfigError(
            f"user {context['user']}: client-certificate and client-key go together"
        )
    return Access(
        server=_server(_text(cluster, "server", "cluster")),
        namespace=context.get("namespace") or "default",
        insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        ca=_data(cluster, "certificate-authority", directory),
        token=token,
        certificate=certificate,
        key=key,
    )


def _named(document: dict[str, Any], section: str, inner: str, name: Any) -> dict[str, Any]:
    """The entry called ``name`` of one of the lists of a kubeconfig."""
    entries = document.get(section) or []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(inner) or {}
            if isinstance(value, dict):
                return value
    raise KubeconfigError(f"{section}: no entry named {name!r}")


def _text(mapping: dict[str, Any], key: str, what: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise KubeconfigError(f"{what}: {key} is not set")
    return value


def _server(url: str) -> str:
    """The server's URL without a trailing slash."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise KubeconfigError(f"cluster: server {url!r} is not an http or https URL")
    return url.rstrip("/")


def _data(mapping: dict[str, Any], key: str, directory: Path) -> bytes | None:
    """Inline ``<key>-data`` (base64), or the file that ``<key>`` names, as kubectl prefers them."""
    inline = mapping.get(f"{key}-data")
    if inline:
        try:
            return base64.b64decode(inline, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise KubeconfigError(f"{key}-data is not base64") from None
    if mapping.get(key):
        return _file(directory, mapping[key], key)
    return None


def _file(directory: Path, name: Any, key: str) -> bytes:
    try:
        return (directory / str(name)).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{key} {name}: {error.strerror}") from None
