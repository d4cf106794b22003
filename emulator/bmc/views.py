"""The application's views without what WSGI and Flask do around each request.

A view function is the application's own, and so is what answers its exceptions; both find
``flask.request`` and ``flask.current_app`` as ever. What is left out is the search for the route
(the same for every BMC), a Flask context made anew each time, hooks and signals that nobody uses
here, and the way of the answer through ``start_response``. A request without a view of its own
(none there, none for its method, a redirect) goes all the way, so that Flask says so word for word.
"""

from __future__ import annotations

from contextvars import Context
from functools import cached_property
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from emulator.bmc.call import CURRENT, Call
from emulator.bmc.services import base, failures
from emulator.bmc.templates import from_stand_ins, holds_stand_in, to_stand_ins

if TYPE_CHECKING:
    from emulator.bmc.application import FleetApplication

ROUTES_KEPT = 4096
"""Paths with the BMC's UUIDs taken out; a fleet in use has some dozens."""
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
"""Those of which Flask does nothing by itself."""
ROUTED = "beskar7.routed"
"""In a request's environ: its route is found already."""
Answer = tuple[int, dict[str, str], bytes]


class Asked:
    """``flask.request`` of a view: what most views ask of it at once, the rest from Flask's own."""

    def __init__(
        self, application: FleetApplication, method: str, path: str, body: bytes, host: str
    ) -> None:
        self.method = method
        self.path = path
        self._application = application
        self._body = body
        self._host = host

    def get_data(self) -> bytes:
        return self._body

    @cached_property
    def json(self) -> Any:
        try:
            return self._application.json.loads(self._body)
        except ValueError:
            return self._whole.json

    @cached_property
    def _whole(self) -> Any:
        from emulator.bmc.application import environ  # It needs the views.

        made = environ(self.method, self.path, self._body, self._host)
        return self._application.request_class(made)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class Views:
    """The views of one application."""

    def __init__(self, application: FleetApplication) -> None:
        self._application = application
        self._routes: dict[tuple[str, str], tuple[Any, dict[str, str]]] = {}
        self._rooms: list[tuple[Context, Any]] = []
        """Contexts in which Flask's is pushed already, and that; as many as were nested so far."""

    def answer(self, call: Call, method: str, path: str, body: bytes, host: str) -> Answer | None:
        """The answer, or None where the full way has to be taken; then nothing was done."""
        if method not in METHODS or not path.startswith("/redfish") or not path.isascii():
            return None
        uuids = call.bmc.uuids
        if holds_stand_in(path) or "%" in path:
            return None
        shape = to_stand_ins(path, uuids)
        route = self._routes.get((method, shape)) or self._match(method, shape)
        if route is None:
            return None
        view, arguments = route
        given = {name: from_stand_ins(value, uuids) for name, value in arguments.items()}
        asked = Asked(self._application, method, path, body, host)
        room, context = self._rooms.pop() if self._rooms else self._furnish()
        try:
            return room.run(self._view, call, context, asked, view, given)
        finally:
            context.request = None
            self._rooms.append((room, context))

    def _view(
        self, call: Call, context: Any, asked: Asked, view: Any, given: dict[str, str]
    ) -> Answer:
        token = CURRENT.set(call)
        context.request = asked
        try:
            return base.parts(view(**given))
        except Exception as problem:
            return base.parts(failures.answer(problem))
        finally:
            CURRENT.reset(token)

    def _furnish(self) -> tuple[Context, Any]:
        room = Context()
        return room, room.run(self._push)

    def _push(self) -> Any:
        from emulator.bmc.application import environ  # It needs the views.

        made = environ("GET", "/", b"", "bmc")
        context = self._application.request_context(made | {ROUTED: True})
        context.push()
        return context

    def _match(self, method: str, shape: str) -> tuple[Any, dict[str, str]] | None:
        adapter = self._application.url_map.bind("bmc", path_info=shape)
        try:
            rule, arguments = adapter.match(method=method, return_rule=True)
        except (HTTPException, RequestRedirect):
            return None
        if not all(isinstance(value, str) for value in arguments.values()):
            return None
        if len(self._routes) >= ROUTES_KEPT:
            self._routes.clear()
        view = base.plain(self._application.view_functions[rule.endpoint])
        found = self._routes[method, shape] = (view, dict(arguments))
        return found
