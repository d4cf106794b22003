"""What the API accepts of Beskar7's kinds, beyond what their schemas can say.

Two functions, without side effects: :func:`default` fills in what was left out, and
:func:`validate` says what is wrong and what would be right. A request is judged by what it
changes: what was accepted once never stands in the way of a status, a label or a finalizer (U25).
Whatever a rule does not know passes; shapes are the schema's affair.

The manager's webhooks and the lab's API both apply these, in the two steps of an API server:
defaults, then the schema, then validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beskar7.api.admission import clusters, hosts, machines, templates
from beskar7.api.admission.context import Context, Findings, Operation, Reader, text
from beskar7.api.causes import forbidden, invalid
from beskar7.api.errors import ApiError
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.objects import Object

__all__ = [
    "RULES",
    "Context",
    "Findings",
    "Operation",
    "Reader",
    "Rules",
    "default",
    "refusal",
    "validate",
]

Validate = Callable[[Operation, Object | None, Object | None, Context, Findings], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one kind. ``default`` gives the object itself when nothing was left out."""

    kind: Kind
    operations: tuple[Operation, ...]
    """Those that ``validate`` has a say in. A webhook that is asked in vain only adds a way to
    fail, so machines and clusters can go even when nobody answers."""
    default: Callable[[Object], Object]
    validate: Validate

    @property
    def slug(self) -> str:
        """Group, version and kind as webhook paths spell them."""
        kind = self.kind
        return f"{kind.group.replace('.', '-')}-{kind.version}-{kind.kind.lower()}"

    @property
    def mutate_path(self) -> str:
        return f"/mutate-{self.slug}"

    @property
    def validate_path(self) -> str:
        return f"/validate-{self.slug}"

    @property
    def mutate_name(self) -> str:
        return f"default.{self.kind.kind.lower()}.{self.kind.group}"

    @property
    def validate_name(self) -> str:
        return f"validation.{self.kind.kind.lower()}.{self.kind.group}"


RULES: tuple[Rules, ...] = (
    Rules(PHYSICAL_HOST, ("CREATE", "UPDATE", "DELETE"), hosts.default, hosts.validate),
    Rules(BESKAR7_MACHINE, ("CREATE", "UPDATE"), machines.default, machines.validate),
    Rules(BESKAR7_CLUSTER, ("CREATE", "UPDATE"), clusters.default, clusters.validate),
    Rules(
        BESKAR7_MACHINE_TEMPLATE,
        ("CREATE", "UPDATE", "DELETE"),
        templates.default,
        templates.validate,
    ),
)
_BY_KIND = {rules.kind.kind: rules for rules in RULES}


def default(obj: Object) -> Object:
    """The object with what was left out, sharing the rest; itself when that is nothing."""
    return _BY_KIND[obj["kind"]].default(obj)


def validate(
    operation: Operation, new: Object | None, old: Object | None, context: Context
) -> Findings:
    """What is wrong with the request. ``new`` is None for DELETE, ``old`` for CREATE.

    The kind is that of the objects, which must be one of :data:`RULES` (``KeyError``).
    """
    judged = new if new is not None else old or {}
    rules = _BY_KIND[judged["kind"]]
    found = Findings()
    if operation in rules.operations:
        # An object from before a default existed must not look as if it had been changed.
        before = rules.default(old) if old is not None and operation == "UPDATE" else old
        rules.validate(operation, new, before, context, found)
    return found


def refusal(operation: Operation, kind: Kind, obj: Object, found: Findings) -> ApiError | None:
    """The error that the causes amount to; None without any."""
    if not found.causes:
        return None
    name = text(obj, "metadata", "name")
    if operation == "DELETE":
        why = "; ".join(cause.message.removeprefix("Forbidden: ") for cause in found.causes)
        return forbidden(kind, name, why)
    return invalid(kind, name, found.causes)
