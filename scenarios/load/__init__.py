"""``beskar7 load``: the shapes of :mod:`loadtest.shapes`, on a lab, a cluster, or virtual time."""
