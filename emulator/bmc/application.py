"""The seams that let one sushy-tools application serve a whole fleet.

sushy-tools binds its routes to one global Flask object, keeps state in SQLite, and finds its
drivers by eight memoized properties; there are no plugin points. So :func:`install` changes four
things in the imported package, before any driver exists:

1. ``memoize.PersistentDict`` becomes a mapping in memory. Upstream opens SQLite for every access
   (eleven times for one GET of a System, three quarters of its time), and its state outlives the
   process in a directory that every emulator of the machine shares.
2. ``main.app.__class__`` becomes :class:`FleetApplication`, whose driver properties answer for the
   BMC of the running request. A second ``Application()`` would have no routes.
3. The controller of virtual media renders by the application, as ``main`` does, and not by Flask.
4. :mod:`emulator.bmc.services` adds the routes that upstream lacks, in its own manner.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import flask
import orjson
from flask.json.provider import DefaultJSONProvider
from sushy_tools.emulator import main, memoize
from sushy_tools.emulator.controllers import virtual_media

from beskar7.api.objects import copy_json
from emulator.bmc import services
from emulator.bmc.call import CURRENT, Call
from emulator.bmc.templates import Skeletons
from emulator.bmc.views import ROUTED, Answer, Views


class MemoryDict(MutableMapping[Any, Any]):
    """Upstream's ``PersistentDict``, forgotten with the process.

    Values are copied on the way in: callers change what they were given and then store it.
    """

    def __init__(self) -> None:
        self._items: dict[Any, Any] = {}

    def make_permanent(self, dbpath: str | None, dbfile: str) -> None:
        """Upstream's drivers call it; nothing is permanent here."""

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._items[key] = copy_json(value)

    def __delitem__(self, key: Any) -> None:
        del self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Json(DefaultJSONProvider):
    """What ``flask.jsonify`` answers, by orjson; templates go on with Flask's own JSON."""

    def response(self, *args: Any, **kwargs: Any) -> flask.Response:
        body = orjson.dumps(args[0] if args else kwargs, option=orjson.OPT_SORT_KEYS)
        return flask.Response(body, content_type="application/json")


_SKELETONS = Skeletons()


def _driver(name: str) -> property:
    return property(lambda _: CURRENT.get().bmc.drivers.get(name))


class FleetApplication(main.Application):  # type: ignore[misc]  # sushy-tools has no types
    """The application of whichever BMC is being asked."""

    systems = _driver("systems")
    managers = _driver("managers")
    chassis = _driver("chassis")
    indicators = _driver("indicators")
    vmedia = _driver("vmedia")
    storage = _driver("storage")
    drives = _driver("drives")
    volumes = _driver("volumes")

    def create_url_adapter(self, request: Any) -> Any:
        """None where routes are found elsewhere; see :mod:`emulator.bmc.views`."""
        if request is not None and ROUTED in request.environ:
            return None
        return super().create_url_adapter(request)

    def render_template(self, template_name: str, /, **params: Any) -> str:
        bmc = CURRENT.get().bmc
        jinja = super().render_template
        return _SKELETONS.render(jinja, template_name, params, bmc.uuids, bmc.name)


def install() -> FleetApplication:
    """Put the seams in and return the application; a second call changes nothing."""
    if not isinstance(main.app, FleetApplication):
        memoize.PersistentDict = MemoryDict
        main.app.__class__ = FleetApplication
        main.app.json = Json(main.app)
        virtual_media.flask = SimpleNamespace(
            current_app=flask.current_app,
            request=flask.request,
            render_template=main.app.render_template,
        )
        services.register(main.app)
    application: FleetApplication = main.app
    return application


def serve(
    application: FleetApplication, call: Call, method: str, path: str, body: bytes, host: str
) -> Answer:
    """One request through the application: status, headers, body."""
    found = _views(application).answer(call, method, path, body, host)
    if found is not None:
        return found
    return through_wsgi(application, call, method, path, body, host)


@cache
def _views(application: FleetApplication) -> Views:
    return Views(application)


def environ(method: str, path: str, body: bytes, host: str) -> dict[str, Any]:
    """The request as WSGI has it."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": "",
        "SERVER_NAME": host,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": _Discard(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        # Strict clients send it, careless ones do not, and the answer is JSON or nothing anyway.
        made["CONTENT_TYPE"] = "application/json"
    return made


def through_wsgi(
    application: FleetApplication, call: Call, method: str, path: str, body: bytes, host: str
) -> Answer:
    """One request all the way that sushy-tools itself sends it."""
    made = environ(method, path, body, host)
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        started[:] = [status, headers]

    token = CURRENT.set(call)
    try:
        chunks = application.wsgi_app(made, start_response)
        try:
            answer = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
    finally:
        CURRENT.reset(token)
    status, fields = started
    headers = {name: value for name, value in fields if name != "Content-Length"}
    return int(status.split(" ", 1)[0]), headers, answer


class _Discard:
    """``wsgi.errors``: what Flask says goes through logging."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""
