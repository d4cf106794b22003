"""Queueing models of the controller on SimPy, and what theory and statistics say of them."""
