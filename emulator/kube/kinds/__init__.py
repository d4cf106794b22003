"""What is served: kinds, their schemas and defaults, custom resources."""
