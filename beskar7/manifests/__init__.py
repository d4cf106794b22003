"""What it takes to run the controller in a cluster, as Kubernetes objects."""
