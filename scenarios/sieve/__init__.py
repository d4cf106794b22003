"""Sieve's three patterns, enumerated: one learned run, then one replay for each perturbation.

After "Automatic Reliability Testing for Cluster Management Controllers" (Sun and others, OSDI
2022): what a controller may meet is an intermediate state, left by a crash; a stale state, when it
sees the past; and an unobserved state, when it never learns of one that was.
"""
