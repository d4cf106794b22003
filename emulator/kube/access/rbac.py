"""Role-based access: who may do what, from the Roles and bindings in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import Forbidden
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.access.authn import MASTERS, User
from emulator.kube.access.requestinfo import Attributes
from emulator.kube.store.history import Change
from emulator.kube.store.selectors import Requirement
from emulator.kube.store.store import Store

GROUP = "rbac.authorization.k8s.io"
ROLE = Kind(GROUP, "v1", "Role", "roles")
CLUSTER_ROLE = Kind(GROUP, "v1", "ClusterRole", "clusterroles", namespaced=False)
ROLE_BINDING = Kind(GROUP, "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE_BINDING = Kind(
    GROUP, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
KINDS = frozenset({ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING})
_CACHE = 20_000  # decisions


@dataclass(frozen=True, slots=True)
class Rule:
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    paths: tuple[str, ...]

    @classmethod
    def of(cls, rule: Object) -> Rule:
        return cls(
            frozenset(rule.get("verbs") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )

    def allows(self, asked: Attributes) -> bool:
        if not ("*" in self.verbs or asked.verb in self.verbs):
            return False
        if asked.path:
            return any(_path_matches(path, asked.path) for path in self.paths)
        if not ("*" in self.groups or asked.group in self.groups):
            return False
        return self._covers(asked) and (not self.names or asked.name in self.names)

    def _covers(self, asked: Attributes) -> bool:
        if "*" in self.resources or asked.combined in self.resources:
            return True
        return bool(asked.subresource) and f"*/{asked.subresource}" in self.resources


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule that a binding gives to a subject; ``namespace`` "" is everywhere."""

    namespace: str
    rule: Rule
    source: Object
    why: str


class Authorizer:
    """Decides by the store's RBAC objects; members of ``system:masters`` may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: dict[tuple[str, str], list[Grant]] | None = None
        self._decided: dict[tuple[User, Attributes], str | None] = {}
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.kind in KINDS:
            self._grants = None
            self._decided.clear()

    def check(self, user: User, asked: Attributes) -> None:
        """Raises ``Forbidden`` in Kubernetes' words."""
        if MASTERS not in user.groups and self.decide(user, asked) is None:
            raise forbidden(user, asked)

    def decide(self, user: User, asked: Attributes) -> str | None:
        """Why the user may; None when not."""
        if MASTERS in user.groups:
            return f'member of the group "{MASTERS}"'
        key = (user, asked)
        if key not in self._decided:
            if len(self._decided) >= _CACHE:
                self._decided.clear()
            self._decided[key] = self._decide(user, asked)
        return self._decided[key]

    def _decide(self, user: User, asked: Attributes) -> str | None:
        for grant in self.grants(user):
            in_reach = not grant.namespace or (
                grant.namespace == asked.namespace and not asked.path
            )
            if in_reach and grant.rule.allows(asked):
                return grant.why
        return None

    def grants(self, user: User) -> list[Grant]:
        """All that the user's bindings give."""
        if self._grants is None:
            self._grants = self._read()
        found = list(self._grants.get(("User", user.name), ()))
        for group in user.groups:
            found += self._grants.get(("Group", group), ())
        return found

    def _read(self) -> dict[tuple[str, str], list[Grant]]:
        found: dict[tuple[str, str], list[Grant]] = {}
        for kind in (CLUSTER_ROLE_BINDING, ROLE_BINDING):
            for entry in self._store.list(kind):
                self._bind(found, kind, entry.obj)
        return found

    def _bind(self, found: dict[tuple[str, str], list[Grant]], kind: Kind, binding: Object) -> None:
        namespace = binding["metadata"].get("namespace", "")
        ref = binding["roleRef"]
        rules = self.rules(ref, namespace) or ()
        name = binding["metadata"]["name"]
        shown = f"{namespace}/{name}" if namespace else name
        for subject in binding.get("subjects") or ():
            kind_, who = subject["kind"], subject["name"]
            if kind_ == "ServiceAccount":
                kind_ = "User"
                who = f"system:serviceaccount:{subject.get('namespace') or namespace}:{who}"
            why = (
                f'RBAC: allowed by {kind.kind} "{shown}" of {ref["kind"]} "{ref["name"]}" '
                f'to {subject["kind"]} "{subject["name"]}"'
            )
            grants = [Grant(namespace, Rule.of(rule), rule, why) for rule in rules]
            found.setdefault((kind_, who), []).extend(grants)

    def rules(self, ref: Object, namespace: str) -> list[Object] | None:
        """The role's rules, with what it aggregates; None for a role that is not there."""
        kind = CLUSTER_ROLE if ref["kind"] == "ClusterRole" else ROLE
        if not self._store.exists(kind, namespace, ref["name"]):
            return None
        role = self._store.get(kind, namespace, ref["name"]).obj
        rules: list[Object] = list(role.get("rules") or ())
        for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
            for entry in self._store.list(CLUSTER_ROLE):
                if _selects(selector, entry.obj) and entry.name != ref["name"]:
                    rules += entry.obj.get("rules") or ()
        return rules


def _selects(selector: Object, obj: Object) -> bool:
    labels = obj["metadata"].get("labels") or {}
    wanted = [
        Requirement(key, "In", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    wanted += [
        Requirement(each["key"], each["operator"], frozenset(each.get("values") or ()))
        for each in selector.get("matchExpressions") or ()
    ]
    return all(requirement.matches(labels) for requirement in wanted)


def forbidden(user: User, asked: Attributes) -> Forbidden:
    who = f'User "{user.name}" cannot {asked.verb}'
    if asked.path:
        return Forbidden(f'forbidden: {who} path "{asked.path}"')
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f'{who} resource "{asked.combined}" in API group "{asked.group}" {where}'
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f'{qualified} "{asked.name}"' if asked.name else qualified
    details: dict[str, Any] = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return Forbidden(
        f"{named} is forbidden: {why}",
        details={key: value for key, value in details.items() if value},
    )
