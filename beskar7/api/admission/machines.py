"""Rules of the Beskar7Machine, which a template's inner spec shares."""

from __future__ import annotations

import re

from beskar7.api.admission import urls
from beskar7.api.admission.context import (
    Context,
    Findings,
    Operation,
    Unreadable,
    changed,
    dig,
    replaced,
    text,
)
from beskar7.api.causes import forbidden_field, invalid_value, required
from beskar7.api.kinds import PHYSICAL_HOST
from beskar7.api.objects import Object
from beskar7.api.resources import Beskar7Machine

_PROVIDER_ID = re.compile(r"b7://([a-z0-9][-a-z0-9]*)/([a-z0-9][-.a-z0-9]*)")
_PROVIDER_FORM = "must be b7://namespace/host"
_IMAGE = re.compile(
    r".*\.(iso|img|qcow2|vmdk|raw|vhd|vhdx|ova|ovf)(\.(gz|bz2|xz|zip|tar|tgz|tbz2|txz))?"
)
_CONFIG = re.compile(r".*\.(yaml|yml|json|toml|conf|cfg|ini|properties)")


def default(machine: Object) -> Object:
    return default_at(machine, "spec")


def default_at(obj: Object, *path: str) -> Object:
    """The provisioning mode at ``path``: without a configURL a minimal machine is valid (U33)."""
    spec = dig(obj, *path)
    if not isinstance(spec, dict) or spec.get("provisioningMode"):
        return obj
    mode = Beskar7Machine({"spec": spec}).provisioning_mode
    return replaced(obj, path, {"provisioningMode": mode})


def validate(
    operation: Operation, new: Object | None, old: Object | None, context: Context, found: Findings
) -> None:
    if new is None:
        return
    validate_at(new, old, ("spec",), found)
    if changed(new, old, "spec", "providerID"):
        _provider_id(new, old, context, found)


def validate_at(new: Object, old: Object | None, path: tuple[str, ...], found: Findings) -> None:
    """What a machine and a template's pattern must both satisfy."""
    field = ".".join(path)
    if changed(new, old, *path, "imageURL"):
        image = text(new, *path, "imageURL")
        if image:
            _source(image, f"{field}.imageURL", ("http", "https", "ftp", "file"), _IMAGE, found)
        else:
            found.causes.append(required(f"{field}.imageURL", "the image that the host boots"))
    if changed(new, old, *path, "osFamily") and not text(new, *path, "osFamily"):
        found.causes.append(required(f"{field}.osFamily", "the image's operating system"))
    if changed(new, old, *path, "configURL") or changed(new, old, *path, "provisioningMode"):
        _configuration(new, path, found)


def _configuration(new: Object, path: tuple[str, ...], found: Findings) -> None:
    field = f"{'.'.join(path)}.configURL"
    mode, url = text(new, *path, "provisioningMode"), text(new, *path, "configURL")
    if url:
        _source(url, field, ("http", "https", "file"), _CONFIG, found)
    if mode == "RemoteConfig" and not url:
        found.causes.append(
            required(field, "provisioningMode RemoteConfig fetches it; PreBakedISO needs none")
        )
    if mode == "PreBakedISO" and url:
        found.causes.append(
            forbidden_field(
                field, "provisioningMode PreBakedISO never fetches it; set RemoteConfig for that"
            )
        )


def _source(
    url: str, field: str, schemes: tuple[str, ...], path: re.Pattern[str], found: Findings
) -> None:
    parts = urls.parse(url)
    if parts is None or parts.scheme not in schemes:
        hint = f"must be a URL that begins with {', '.join(f'{each}://' for each in schemes)}"
    elif parts.scheme != "file" and not parts.hostname:
        hint = f"must name a host after {parts.scheme}://"
    elif not path.fullmatch(parts.path):
        hint = f"must end with a known extension; the path has to match {path.pattern}"
    else:
        if urls.has_credentials(url):
            found.warnings.append(
                f"{field} contains a user or password, which everybody sees who may read the object"
            )
        return
    found.causes.append(invalid_value(field, urls.shown(url), hint))


def _provider_id(new: Object, old: Object | None, context: Context, found: Findings) -> None:
    """Set once. Only a machine that has come to own another host may say so."""
    given, before = text(new, "spec", "providerID"), text(old, "spec", "providerID")
    if not given:
        if before:
            hint = f'may not be taken away from a machine that has one: "{before[:120]}"'
            found.causes.append(forbidden_field("spec.providerID", hint))
        return
    match = _PROVIDER_ID.fullmatch(given)
    namespace = text(new, "metadata", "namespace")
    hint = ""
    if match is None:
        hint = _PROVIDER_FORM
    elif namespace and match.group(1) != namespace:
        hint = f'{_PROVIDER_FORM}, with the namespace of the machine, which is "{namespace}"'
    elif before:
        try:
            host = found.look_up(context, PHYSICAL_HOST, namespace, match.group(2))
        except Unreadable:
            return
        owner = text(host, "spec", "consumerRef", "uid")
        if not owner or owner != text(new, "metadata", "uid"):
            hint = f'is "{before[:120]}" and may not change, as the machine does not own that host'
    if hint:
        found.causes.append(invalid_value("spec.providerID", f'"{given[:120]}"', hint))
