"""How objects are changed: merge, JSON and strategic patches, server-side apply."""
