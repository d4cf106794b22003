"""Experiments on the controller: scenario files, the runner, the invariants and the report."""
