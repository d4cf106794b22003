"""Rehearsals: a cause, its symptom, the remedy, and the recovery that it brings."""
