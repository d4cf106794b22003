"""The world around the controller: the Kubernetes API, the fleet of BMCs, and their faults."""
