"""Profiles of the running manager under Go's well-known paths, ``/debug/pprof/...``."""
