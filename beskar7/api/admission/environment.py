"""Where TLS may be relaxed: on explicit request only, or where nothing leaves the machine.

The earlier controller looked for words such as "dev" or "test" anywhere in names and addresses,
so that namespace ``device-prod`` lost its protection (U30).
"""

from __future__ import annotations

from beskar7.api.admission.context import Context, Findings, dig, text
from beskar7.api.kinds import NAMESPACE
from beskar7.api.objects import Object

ENVIRONMENT = "beskar7.io/environment"
"""Annotation of a PhysicalHost or of its Namespace; the host's own counts more."""
DEVELOPMENT = frozenset({"demo", "dev", "development", "local", "staging", "test", "testing"})
"""Values that relax TLS; any other does not."""
HINT = f'annotate the host or its Namespace with {ENVIRONMENT}: "development" to allow it'


def is_development(host: Object, context: Context, found: Findings) -> bool:
    """Raises ``Unreadable`` when that depends on a Namespace which cannot be read."""
    own = dig(host, "metadata", "annotations", ENVIRONMENT)
    if isinstance(own, str):
        return own in DEVELOPMENT
    name = text(host, "metadata", "namespace")
    namespace = found.look_up(context, NAMESPACE, None, name) if name else None
    return text(namespace, "metadata", "annotations", ENVIRONMENT) in DEVELOPMENT
