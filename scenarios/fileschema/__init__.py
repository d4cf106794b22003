"""The JSON Schema of the files that users write, got from the readers that check them."""
