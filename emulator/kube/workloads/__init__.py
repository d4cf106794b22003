"""Workloads as real processes: Deployments, ReplicaSets, and a kubelet that runs their pods."""
