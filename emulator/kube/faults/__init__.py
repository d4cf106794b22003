"""What goes wrong with the API on purpose."""
