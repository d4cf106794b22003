"""CustomResourceDefinitions of the lab's own making: Cluster API's kinds, as far as is needed."""
