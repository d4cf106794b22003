"""The operators' procedures as commands."""
