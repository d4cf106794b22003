"""Whether an installation can be put under load at all, asked before the first user is."""

from __future__ import annotations

from typing import Any

from loadtest.api import GROUP_VERSION, Api, ApiError, Unreachable, path
from loadtest.lifecycle import MACHINES

VERBS = ("create", "watch", "delete")
"""What a machine's owner does."""
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
GROUP = GROUP_VERSION.partition("/")[0]


class NotReady(Exception):
    """Why there can be no load, and what would be right; meant for whoever asked for it."""


def preflight(api: Api, server: str, namespace: str) -> None:
    """Ask for the kinds and for our rights to them. A server that is busy is no obstacle.

    Raises NotReady.
    """
    try:
        api.get(path(namespace, MACHINES, limit=1))
        refused = [verb for verb in VERBS if not _may(api, verb, namespace)]
    except Unreachable as error:
        raise NotReady(f"{server}: the API server cannot be reached: {error}") from None
    except ApiError as error:
        if error.code == 429 or error.code >= 500:
            return
        raise NotReady(f"{server}: {_words(error, namespace)}") from None
    if refused:
        raise NotReady(
            f"{server}: this user may not {', '.join(refused)} {MACHINES} in namespace"
            f" {namespace}; a load needs {', '.join(VERBS)} and list"
        )


def _words(error: ApiError, namespace: str) -> str:
    if error.code == 401:
        return "the token or certificate of the kubeconfig is not accepted there (401)"
    if error.code == 404:
        return (
            f"there are no {MACHINES} ({GROUP_VERSION}): install Beskar7's CRDs first, as by"
            " `beskar7 manifests | kubectl apply -f -`"
        )
    if error.code == 403:
        verbs = ", ".join(VERBS)
        return f"{error}; a load needs list, {verbs} of {MACHINES} in namespace {namespace}"
    return f"the API server refuses: {error}"


def _may(api: Api, verb: str, namespace: str) -> bool:
    """Whether we may do that to machines; where nobody says, we shall see."""
    asked: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {
            "resourceAttributes": {
                "group": GROUP,
                "resource": MACHINES,
                "verb": verb,
                "namespace": namespace,
            }
        },
    }
    try:
        told = api.create(REVIEWS, asked)
    except ApiError:
        return True
    return bool((told.get("status") or {}).get("allowed", True))
