"""The guide's quick diagnostic: what is the matter with an installation, and what to do.

:func:`~beskar7.operations.doctor.judging.diagnose` reads a cluster and judges what it read; what
can be found is in ``findings.yaml``.
"""
