"""Sweeps: one scenario over a grid of settings and seeds, at any level of fidelity."""
