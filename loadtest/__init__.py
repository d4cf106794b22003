"""Load on a Beskar7 installation from outside: Kubernetes' HTTP API in, measurements out.

Nothing here imports the controller, the emulator or the scenarios. Only ``users``,
``session``, ``workers``, ``guideshape``, ``page`` and ``locustfile`` import Locust, whose import
monkey-patches the process.
"""
