"""Decisions, pure: who gets which host, in what order, when a BMC may be touched."""
