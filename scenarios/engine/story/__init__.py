"""What happened in a run, told from its logs: as text, and as a page to look around in."""
