"""Locust's users. Importing them imports Locust, which monkey-patches the process: never from
pytest or the lab."""
