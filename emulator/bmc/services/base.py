"""What the services' routes share: the running call, resources, collections, checked bodies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

import flask
import orjson

from emulator.bmc.call import CURRENT, Call
from emulator.bmc.services.messages import Refused, message, refuse

JSON = "application/json"
ROOT = "/redfish/v1"
Setter = Callable[[Any], Callable[[], None]]
"""Checks a value and returns what applies it; raises :class:`Refused`, and then nothing changes."""


def call() -> Call:
    """The request that the application works on."""
    return CURRENT.get()


def state(name: str) -> Any:
    """The running BMC's state of that name, made now if need be."""
    return call().bmc.drivers.get(name)


def route(
    application: flask.Flask, rule: str, *methods: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Serve ``rule``, as ``application.route`` does, with JSON of what the function returns.

    A rule that sushy-tools has gets our function in the place of its own.
    """
    wanted = set(methods or ("GET",))

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        view = responding(function)

        for known in list(application.url_map.iter_rules()):
            same = known.rule.rstrip("/") == rule.rstrip("/")
            if same and known.methods and wanted & (known.methods - {"HEAD", "OPTIONS"}):
                application.view_functions[known.endpoint] = view
                # Methods that ours does not serve are none of the resource's.
                known.methods.intersection_update({*methods, "GET", "HEAD", "OPTIONS"})
                wanted.difference_update(known.methods)
        if wanted:
            endpoint = f"beskar7.{function.__module__}.{function.__name__}"
            application.add_url_rule(rule, endpoint, view, methods=sorted(wanted))
        return function

    return add


def responding(function: Callable[..., Any]) -> Callable[..., flask.Response]:
    """A view for Flask; see :func:`plain` for who needs no Flask."""

    @wraps(function)
    def view(**arguments: str) -> flask.Response:
        status, headers, body = parts(function(**arguments))
        return flask.Response(body, status, headers)

    return view


def plain(view: Callable[..., Any]) -> Callable[..., Any]:
    """What a view is without that which makes a response of its result, here and upstream."""
    found: Callable[..., Any] = inspect.unwrap(view)
    return found


def parts(result: Any) -> tuple[int, dict[str, str], bytes]:
    """A view's answer as status, headers and body.

    ``result`` is a response; or a body, or body, status and headers. A body is text, or what is to
    be JSON, or None for no content.
    """
    if isinstance(result, flask.Response):
        headers = {name: value for name, value in result.headers if name != "Content-Length"}
        return result.status_code, headers, result.get_data()
    body, status, *rest = result if isinstance(result, tuple) else (result, 200)
    if body is None:
        data, status = b"", 204 if status == 200 else status
    else:
        data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return status, {**(rest[0] if rest else {}), "Content-Type": JSON}, data


def only(identity: str) -> None:
    """Raises 404 unless ``identity`` is that of the running BMC's system."""
    if identity != call().bmc.system_id:
        raise missing()


def only_manager(identity: str) -> None:
    """Raises 404 unless ``identity`` is that of the running BMC as a manager."""
    if identity != call().bmc.manager_id:
        raise missing()


def missing() -> Refused:
    return refuse(404, "ResourceMissingAtURI", flask.request.path)


def resource(path: str, kind: str, ident: str, name: str, **properties: Any) -> dict[str, Any]:
    """A resource; ``kind`` is its type with version, as ``Session.v1_7_0``."""
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}.{kind.partition('.')[0]}",
        "Id": ident,
        "Name": name,
        **properties,
    }


def collection(path: str, kind: str, name: str, members: Iterable[str]) -> dict[str, Any]:
    """A collection of ``kind`` (as ``Session``); ``members`` are paths."""
    links = [link(member) for member in members]
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}Collection.{kind}Collection",
        "Name": name,
        "Members@odata.count": len(links),
        "Members": links,
    }


def link(path: str) -> dict[str, str]:
    return {"@odata.id": path}


OK = {"State": "Enabled", "Health": "OK"}


def created(body: dict[str, Any], **headers: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """201 with the new resource and where it is; underscores of header names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return body, 201, {"Location": body["@odata.id"], **named}


def given() -> dict[str, Any]:
    """The request's body. Raises 400 where it is no JSON object."""
    raw = flask.request.get_data()
    if not raw:
        return {}
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refuse(400, "MalformedJSON") from None
    if not isinstance(data, dict):
        raise refuse(400, "UnrecognizedRequestBody")
    return data


def patch(
    shown: Callable[[], dict[str, Any]],
    setters: Mapping[str, Setter],
    data: dict[str, Any] | None = None,
    *,
    echo: bool = True,
) -> Any:
    """Apply a PATCH as DSP0266 has it: all values are checked before one is changed.

    What cannot be written is named in the answer: as annotations of a 200 beside what was applied,
    as a 400 if it was all there was. ``echo`` False answers 204 where everything was applied.
    """
    body = given() if data is None else data
    body = {name: value for name, value in body.items() if not name.startswith("@odata.")}
    if not body:
        raise refuse(400, "NoOperation")
    apply, notes = [], {}
    resource_now: dict[str, Any] | None = None
    for name, value in body.items():
        setter = setters.get(name)
        if setter is not None:
            apply.append(setter(value))
            continue
        if resource_now is None:
            resource_now = shown()
        key = "PropertyNotWritable" if name in resource_now else "PropertyUnknown"
        notes[name] = message(key, name, related=name)
    if not apply:
        raise Refused(400, *notes.values())
    for change in apply:
        change()
    call().changed()
    if not echo and not notes:
        return None
    after = shown()
    if notes:
        after.update({f"{name}@Message.ExtendedInfo": [entry] for name, entry in notes.items()})
        after["@Message.ExtendedInfo"] = list(notes.values())
    return after


def text(value: Any, name: str, most: int = 256, least: int = 0) -> str:
    """Raises 400 unless ``value`` is text of ``least`` to ``most`` characters."""
    if not isinstance(value, str):
        raise refuse(400, "PropertyValueTypeError", value, name, related=name)
    if not least <= len(value) <= most:
        raise refuse(400, "PropertyValueFormatError", value, name, related=name)
    return value


def flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(400, "PropertyValueTypeError", value, name, related=name)
    return value


def whole(value: Any, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(400, "PropertyValueTypeError", value, name, related=name)
    if not least <= value <= most:
        raise refuse(400, "PropertyValueOutOfRange", value, name, related=name)
    return value


def choice(value: Any, name: str, among: Iterable[str]) -> str:
    if not isinstance(value, str):
        raise refuse(400, "PropertyValueTypeError", value, name, related=name)
    if value not in among:
        raise refuse(400, "PropertyValueNotInList", value, name, related=name)
    return value


def required(data: Mapping[str, Any], *names: str) -> None:
    """Raises 400 for properties that a POST must have and has not."""
    absent = [message("PropertyMissing", n, related=n) for n in names if data.get(n) is None]
    if absent:
        raise Refused(400, *absent)


def setter(check: Callable[[Any], Any], store: Callable[[Any], None]) -> Setter:
    """A setter of a checked value."""

    def prepare(value: Any) -> Callable[[], None]:
        checked = check(value)
        return lambda: store(checked)

    return prepare
