"""The planner: the cheapest configuration that keeps what was promised, and how sure that is."""
