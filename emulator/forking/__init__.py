"""Processes out of one that has imported what they need: a lab is up in a fraction of the time."""
