"""GETs of the application without what WSGI and Flask do around each request.

The view function is the application's own, and it runs in a Flask request context; what is left
out is the search for the route (the same for every BMC), hooks and signals that nobody uses here,
and the way of the answer through ``start_response``. Whatever is not a plain success is done again
in full, so that errors, redirects and refusals are Flask's word for word.
"""

from __future__ import annotations

from typing import Any

from emulator.bmc.driver import CURRENT, Call
from emulator.bmc.templates import from_stand_ins, holds_stand_in, to_stand_ins

ROUTES_KEPT = 4096
"""Paths with the BMC's UUIDs taken out; a fleet in use has some dozens."""
ROUTED = "beskar7.routed"
"""In a request's environ: its route is found already."""
Answer = tuple[int, dict[str, str], bytes]


class Reader:
    """The GETs of one application."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._routes: dict[str, tuple[Any, dict[str, str]]] = {}

    def read(self, call: Call, path: str, environ: dict[str, Any]) -> Answer | None:
        """The answer to a GET, or None where the full way has to be taken."""
        uuids = call.bmc.uuids
        if holds_stand_in(path) or "%" in path:
            return None
        shape = to_stand_ins(path, uuids)
        route = self._routes.get(shape) or self._match(shape)
        if route is None:
            return None
        rule, arguments = route
        given = {name: from_stand_ins(value, uuids) for name, value in arguments.items()}
        application = self._application
        token = CURRENT.set(call)
        try:
            with application.request_context(environ) as context:
                context.request.url_rule, context.request.view_args = rule, given
                view = application.view_functions[rule.endpoint]
                response = application.make_response(view(**given))
                if response.status_code != 200:
                    return None
                body = response.get_data()
                headers = {n: v for n, v in response.headers if n != "Content-Length"}
                return 200, headers, body
        except Exception:
            # Said in full by the other way, which comes to the same end.
            return None
        finally:
            CURRENT.reset(token)

    def _match(self, shape: str) -> tuple[Any, dict[str, str]] | None:
        adapter = self._application.url_map.bind("bmc", path_info=shape)
        if not adapter.test(method="GET"):
            return None
        rule, arguments = adapter.match(method="GET", return_rule=True)
        if not all(isinstance(value, str) for value in arguments.values()):
            return None
        if len(self._routes) >= ROUTES_KEPT:
            self._routes.clear()
        found = self._routes[shape] = (rule, dict(arguments))
        return found
