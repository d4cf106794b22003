"""Rules of the PhysicalHost: the way to its BMC, and who owns it."""

from __future__ import annotations

from beskar7.api.admission import credentials, urls
from beskar7.api.admission.context import (
    Context,
    Findings,
    Operation,
    Unreadable,
    changed,
    dig,
    mapping,
    replaced,
    text,
)
from beskar7.api.admission.environment import HINT, is_development
from beskar7.api.causes import forbidden_field, invalid_value, required
from beskar7.api.objects import Object
from beskar7.api.resources import PAUSED_ANNOTATION, RETRY_ANNOTATION
from beskar7.api.states import HostState

_CONNECTION = ("spec", "redfishConnection")
_ADDRESS = "spec.redfishConnection.address"
_SECRET = "spec.redfishConnection.credentialsSecretRef"  # noqa: S105 - the name of a field
_INSECURE = "spec.redfishConnection.insecureSkipVerify"


def default(host: Object) -> Object:
    """An address without a scheme is reached by HTTPS."""
    address = text(host, *_CONNECTION, "address")
    full = urls.with_scheme(address)
    return host if full == address else replaced(host, _CONNECTION, {"address": full})


def validate(
    operation: Operation, new: Object | None, old: Object | None, context: Context, found: Findings
) -> None:
    if operation == "DELETE":
        _deleted(old or {}, found)
    elif new is not None:
        _connection(new, old, context, found)
        _held_fast(new, old, found)
        _owner(new, old, found)
        _retry(new, old, found)
        if changed(new, old, "spec", "userDataSecretRef"):
            _user_data(new, found)


def connection(host: Object, context: Context) -> Findings:
    """What there is to say of the way to the BMC of a host that has been there for a while."""
    found = Findings()
    _connection(host, None, context, found)
    return found


def _deleted(host: Object, found: Findings) -> None:
    owner = mapping(host, "spec", "consumerRef")
    if owner:
        found.warnings.append(
            f"the host is owned by {_named(owner)}; it stays until its owner has released it"
        )


def _connection(new: Object, old: Object | None, context: Context, found: Findings) -> None:
    address = text(new, *_CONNECTION, "address")
    if changed(new, old, *_CONNECTION, "address") and not _well_formed(address, found):
        return
    moved = changed(new, old, *_CONNECTION, "address")
    if moved or (_unverified(new) and not _unverified(old)):
        _transport_security(new, address, context, found)
    if changed(new, old, *_CONNECTION, "credentialsSecretRef"):
        name = text(new, *_CONNECTION, "credentialsSecretRef")
        if not name:
            found.causes.append(required(_SECRET, "the name of a Secret in the host's namespace"))
            return
        credentials.advise(text(new, "metadata", "namespace"), name, context, found)


def _well_formed(address: str, found: Findings) -> bool:
    if not address:
        found.causes.append(required(_ADDRESS, "the URL of the BMC, such as https://10.0.0.17"))
        return False
    parts = urls.parse(address)
    if urls.has_credentials(address):
        hint = "may not contain a user or password; they belong in the Secret"
    elif parts is None:
        hint = "must be a URL such as https://10.0.0.17, with a port from 1 to 65535 if any"
    elif parts.scheme not in ("http", "https"):
        hint = "must begin with https:// or http://"
    elif not parts.hostname:
        hint = "must name a host, such as https://10.0.0.17"
    else:
        return True
    found.causes.append(invalid_value(_ADDRESS, urls.shown(address), hint))
    return False


def _transport_security(new: Object, address: str, context: Context, found: Findings) -> None:
    parts = urls.parse(address)
    if parts is None or urls.is_loopback(parts.hostname or ""):
        return
    plain = parts.scheme == "http"
    if not (plain or _unverified(new)):
        return
    try:
        allowed = is_development(new, context, found)
    except Unreadable:
        return
    risk = (
        "plain HTTP sends the BMC's password in the clear"
        if plain
        else "the BMC's certificate is not checked, so its password may go to anybody"
    )
    if allowed:
        found.warnings.append(f"{_ADDRESS if plain else _INSECURE}: {risk}")
    elif plain:
        hint = f"{risk}; use https://, or {HINT}"
        found.causes.append(invalid_value(_ADDRESS, urls.shown(address), hint))
    else:
        found.causes.append(forbidden_field(_INSECURE, f"{risk}; {HINT}"))


def _unverified(host: Object | None) -> bool:
    return dig(host, *_CONNECTION, "insecureSkipVerify") is True


def _held_fast(new: Object, old: Object | None, found: Findings) -> None:
    """Power and boot orders of an owned host must not reach another machine.

    The same holds while a released host is cleaned. The port and the path are not what tells
    machines apart. Who pauses the host says that the BMC is the same one at a new address.
    """
    if old is None:
        return
    cleaning = text(old, "status", "state") == HostState.DEPROVISIONING
    paused = dig(new, "metadata", "annotations", PAUSED_ANNOTATION) not in (None, "false")
    if paused or not (cleaning or dig(old, "spec", "consumerRef")):
        return
    why = (
        "may not change while the host is owned or being cleaned; release it first, or pause it "
        f'(annotation {PAUSED_ANNOTATION}: "true") while you change it'
    )
    address = text(new, *_CONNECTION, "address")
    if _machine_of(address) != _machine_of(text(old, *_CONNECTION, "address")):
        found.causes.append(invalid_value(_ADDRESS, urls.shown(address), f"the BMC's host {why}"))
    if changed(new, old, *_CONNECTION, "credentialsSecretRef"):
        name = text(new, *_CONNECTION, "credentialsSecretRef")
        hint = f"{why}; the content of the Secret may change at any time"
        found.causes.append(invalid_value(_SECRET, f'"{name}"', hint))


def _machine_of(address: str) -> str:
    parts = urls.parse(address)
    return (parts.hostname or "") if parts else address


def _owner(new: Object, old: Object | None, found: Findings) -> None:
    owner = dig(new, "spec", "consumerRef")
    if changed(new, old, "spec", "consumerRef") and owner:
        _reference(new, mapping(new, "spec", "consumerRef"), found)
        previous = mapping(old, "spec", "consumerRef")
        if old is None:
            found.warnings.append("spec.consumerRef: the host is created with an owner already")
        elif previous and _named(previous) != _named(mapping(new, "spec", "consumerRef")):
            found.causes.append(
                forbidden_field(
                    "spec.consumerRef",
                    f"the host is owned by {_named(previous)}; release it before it is claimed "
                    "again",
                )
            )
    image = dig(new, "spec", "bootIsoSource")
    if image and not owner:
        if changed(new, old, "spec", "bootIsoSource"):
            hint = "may not be set without consumerRef: the host's owner says what it boots"
            found.causes.append(forbidden_field("spec.bootIsoSource", hint))
        elif changed(new, old, "spec", "consumerRef"):
            found.warnings.append(
                "spec.bootIsoSource is left behind without an owner; remove it together with "
                "consumerRef"
            )


def _reference(host: Object, owner: Object, found: Findings) -> None:
    for key in ("kind", "name", "namespace"):
        if not text(owner, key):
            found.causes.append(required(f"spec.consumerRef.{key}", "names the host's owner"))
    version = text(owner, "apiVersion")
    if "/" not in version:
        hint = "must be group/version, such as infrastructure.cluster.x-k8s.io/v1beta1"
        found.causes.append(
            invalid_value("spec.consumerRef.apiVersion", f'"{version[:120]}"', hint)
        )
    namespace, own = text(owner, "namespace"), text(host, "metadata", "namespace")
    if namespace and own and namespace != own:
        found.causes.append(
            invalid_value(
                "spec.consumerRef.namespace",
                f'"{namespace[:120]}"',
                f'a host is owned from its own namespace only, which is "{own}"',
            )
        )


def _retry(new: Object, old: Object | None, found: Findings) -> None:
    if not changed(new, old, "metadata", "annotations", RETRY_ANNOTATION):
        return
    if dig(new, "metadata", "annotations", RETRY_ANNOTATION) is None:
        return
    state = text(old, "status", "state")
    if state != HostState.ERROR:
        found.warnings.append(
            f"annotation {RETRY_ANNOTATION}: has no effect on a host in state "
            f"{state or 'None'}; only one in {HostState.ERROR} is tried again"
        )


def _user_data(host: Object, found: Findings) -> None:
    if dig(host, "spec", "userDataSecretRef") is None:
        return
    if not text(host, "spec", "userDataSecretRef", "name"):
        found.causes.append(required("spec.userDataSecretRef.name", "the name of a Secret"))


def _named(owner: Object) -> str:
    return f"{text(owner, 'kind')} {text(owner, 'namespace')}/{text(owner, 'name')}"
