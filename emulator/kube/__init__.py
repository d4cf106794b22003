"""The Kubernetes API that the lab runs on: a pure store, and an HTTP server over it."""
