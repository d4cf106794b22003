"""The managers as pods of their Deployment in virtual time, followed by controllers and kubelet."""
