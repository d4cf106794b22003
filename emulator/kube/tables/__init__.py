"""Objects as the rows that kubectl prints."""
