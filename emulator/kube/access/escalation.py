"""Nobody gives rights that he lacks: the check on Roles and bindings, as kube-apiserver has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product

import orjson

from beskar7.api.errors import ApiError
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.access.authn import MASTERS, User
from emulator.kube.access.rbac import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    GROUP,
    ROLE,
    ROLE_BINDING,
    Authorizer,
)
from emulator.kube.access.requestinfo import Attributes
from emulator.kube.store.failures import forbidden, not_found

MAX_RIGHTS = 100_000
"""Single rights that a role may spell out; a body can name billions by its combinations."""
_SHOWN = 10
_FULL = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
"""What an aggregation rule takes, which can gather anything."""
_COLLECTED = ("finalizers", "ownerReferences")
"""What the garbage collector changes; it needs no rights of the role for that."""


class Escalation:
    """A store's ``admit``: refuses what would give more than the writer has.

    ``user`` says who writes; None is the server itself. Allowed besides: members of
    ``system:masters``, the verb ``escalate`` on the role, ``bind`` on the role that is bound.
    """

    def __init__(self, authorizer: Authorizer, user: Callable[[], User | None]) -> None:
        self._authorizer = authorizer
        self._user = user

    def __call__(self, kind: Kind, verb: str, new: Object | None, old: Object | None) -> None:
        """Raises ``Forbidden``, and ``NotFound`` for a binding to a role that is not there."""
        if kind.group != GROUP or new is None:
            return
        user = self._user()
        if user is None or MASTERS in user.groups or (old and _only_collected(new, old)):
            return
        if kind in (ROLE, CLUSTER_ROLE):
            self._check_role(user, kind, new, old)
        elif kind in (ROLE_BINDING, CLUSTER_ROLE_BINDING):
            self._check_binding(user, kind, new)

    def _check_role(self, user: User, kind: Kind, new: Object, old: Object | None) -> None:
        meta = new["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        asked = Attributes("escalate", GROUP, kind.plural, "", namespace, name)
        if self._authorizer.decide(user, asked) is not None:
            return
        if new.get("aggregationRule") or (old or {}).get("aggregationRule"):
            self._confirm(user, kind, new, namespace, _FULL)
        self._confirm(user, kind, new, namespace, new.get("rules") or ())

    def _check_binding(self, user: User, kind: Kind, new: Object) -> None:
        ref, namespace = new["roleRef"], new["metadata"].get("namespace", "")
        role = CLUSTER_ROLE if ref["kind"] == "ClusterRole" else ROLE
        asked = Attributes("bind", GROUP, role.plural, "", namespace, ref["name"])
        if self._authorizer.decide(user, asked) is not None:
            return
        rules = self._authorizer.rules(ref, namespace)
        if rules is None:
            raise not_found(role, ref["name"])
        self._confirm(user, kind, new, namespace, rules)

    def _confirm(
        self, user: User, kind: Kind, new: Object, namespace: str, rules: Iterable[Object]
    ) -> None:
        held = [
            grant.rule
            for grant in self._authorizer.grants(user)
            if not grant.namespace or grant.namespace == namespace
        ]
        missing: list[Object] = []
        left = MAX_RIGHTS
        for rule in rules:
            wanted = list(islice(_rights(rule), left + 1))
            left -= len(wanted)
            if left < 0:
                raise self._refusal(user, kind, new, f"more than {MAX_RIGHTS} rights at once")
            # A right of one resource is held by one rule: rules do not add up within it.
            if not all(any(own.allows(right) for own in held) for right in wanted):
                missing.append(rule)
        if missing:
            shown = "\n".join(orjson.dumps(rule).decode() for rule in missing[:_SHOWN])
            raise self._refusal(user, kind, new, f"RBAC permissions not currently held:\n{shown}")

    def _refusal(self, user: User, kind: Kind, new: Object, what: str) -> ApiError:
        groups = orjson.dumps(user.groups).decode()
        said = f'user "{user.name}" (groups={groups}) is attempting to grant {what}'
        return forbidden(kind, new["metadata"]["name"], said)


def _rights(rule: Object) -> Iterator[Attributes]:
    """Each single right of a rule; ``*`` stays itself, and is held by who has ``*``."""
    verbs = rule.get("verbs") or ()
    for path, verb in product(rule.get("nonResourceURLs") or (), verbs):
        yield Attributes(verb, path=path)
    names = rule.get("resourceNames") or ("",)
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    for group, combined, name, verb in product(groups, resources, names, verbs):
        resource, _, sub = combined.partition("/")
        yield Attributes(verb, group, resource, sub, "", name)


def _only_collected(new: Object, old: Object) -> bool:
    def rest(obj: Object) -> Object:
        skipped = (*_COLLECTED, "managedFields", "resourceVersion", "generation")
        meta = {key: value for key, value in obj["metadata"].items() if key not in skipped}
        return {**obj, "metadata": meta}

    return rest(new) == rest(old)
