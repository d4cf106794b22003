"""Labs for tests: a Kubernetes API, a fleet of BMCs and managers, live or in virtual time.

pytest finds :mod:`beskar7_harness.plugin` by itself; ``docs/pytest-plugin.md`` is the manual.
Nothing is imported here: the plugin is loaded by every run of pytest, also by those without a lab.
"""
