"""A pod's way to the API: a kubeconfig with a token of its own service account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from beskar7.api.errors import ApiError
from emulator.kube.access.authn import Authenticator
from emulator.kube.access.kubeconfig import write_kubeconfig

_SECONDS = 30 * 86400  # that a token holds: as long as the lab's certificates

Credentials = Callable[[str, str, Path], None]
"""``credentials(namespace, account, path)`` writes the kubeconfig, mode 0600.

Raises :class:`NoAccount`.
"""


class NoAccount(Exception):
    """The pod's service account is not there; ``args[0]`` says which."""


def account_kubeconfigs(
    authenticator: Authenticator, url: str, authority: Path | None
) -> Credentials:
    """For the server at ``url``; ``authority`` is its CA's PEM file, None without TLS."""

    def write(namespace: str, account: str, path: Path) -> None:
        try:
            token, _ = authenticator.issue(namespace, account, _SECONDS)
        except ApiError as error:
            raise NoAccount(f"service account {namespace}/{account}: {error.message}") from None
        write_kubeconfig(path, url, token, authority)

    return write
