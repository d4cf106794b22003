"""What a running cluster has from the start: roles, bindings, the default service accounts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beskar7.api.errors import Forbidden, NotFound
from beskar7.api.kinds import NAMESPACE, Kind
from beskar7.manifests.rights import rights
from emulator.kube.access.access import Access
from emulator.kube.access.authn import ADMIN, SERVICE_ACCOUNT, Authenticator, read_tokens
from emulator.kube.access.kubeconfig import write_kubeconfig
from emulator.kube.access.rbac import KINDS, Authorizer
from emulator.kube.store.history import Change
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.privatefiles import kept_secret, load_yaml, write_private

MANAGER = ("beskar7-system", "beskar7-controller-manager")
"""Namespace and name of the controller's service account."""
POLICY = Path(__file__).with_name("policy.yaml")
MANAGER_TOKEN_SECONDS = 30 * 86400  # as long as the lab's certificates
ACCOUNTS = "kube-controller-manager/serviceaccount-controller"
_CLIENT = "kube-apiserver/bootstrap"


def install(store: Store) -> None:
    """Idempotent, but for the controller of service accounts: once for each store."""
    store.listeners.append(lambda change: _on_change(store, change))
    for entry in store.list(NAMESPACE):
        _give_account(store, entry.name)
    apply_missing(store, [*load_yaml(POLICY), *rights()])


def apply_missing(store: Store, objects: Iterable[Any]) -> None:
    """Create those of the service accounts and RBAC objects that are not there."""
    kinds = {kind.kind: kind for kind in (*KINDS, SERVICE_ACCOUNT)}
    for obj in objects:
        kind: Kind = kinds[obj["kind"]]
        meta = obj["metadata"]
        if not store.exists(kind, meta.get("namespace"), meta["name"]):
            store.create(kind, obj, call=Call(client=_CLIENT))


def lab_access(store: Store, directory: Path, token: str, token_file: Path | None) -> Access:
    """The lab's door: the admin's ``token``, those of a file, those of service accounts.

    The key that signs the last is kept in ``directory`` (mode 0600), so that they outlive a
    restart. Raises :class:`emulator.kube.access.authn.BadTokens` and ``OSError``.
    """
    users = read_tokens(token_file) if token_file is not None else {}
    install(store)
    key = kept_secret(directory / "service-account.key", lambda: secrets.token_urlsafe(48))
    authenticator = Authenticator(store, key.encode(), {**users, token: ADMIN})
    return Access(authenticator, Authorizer(store))


def write_manager_kubeconfig(
    access: Access, directory: Path, url: str, authority: Path | None
) -> Path:
    """Token and kubeconfig (mode 0600) of the controller's service account.

    The token of an earlier run is kept while it holds.
    """
    path = directory / f"{MANAGER[1]}.token"
    authenticator = access.authenticator
    token = kept_secret(path, lambda: authenticator.issue(*MANAGER, MANAGER_TOKEN_SECONDS)[0])
    if authenticator.review(token) is None:
        token, _ = authenticator.issue(*MANAGER, MANAGER_TOKEN_SECONDS)
        write_private(path, token.encode())
    kubeconfig = directory / f"{MANAGER[1]}.kubeconfig"
    write_kubeconfig(kubeconfig, url, token, authority)
    return kubeconfig


def _on_change(store: Store, change: Change) -> None:
    if change.kind == NAMESPACE and change.type == "ADDED":
        _give_account(store, change.entry.name)


def _give_account(store: Store, namespace: str) -> None:
    if store.exists(SERVICE_ACCOUNT, namespace, "default"):
        return
    account = {"metadata": {"name": "default", "namespace": namespace}}
    try:
        store.create(SERVICE_ACCOUNT, account, call=Call(client=ACCOUNTS))
    except (Forbidden, NotFound):
        return  # the namespace is on its way out
