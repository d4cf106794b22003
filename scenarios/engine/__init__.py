"""Load a scenario, run it against a world on either clock, judge what the world saw, report."""
