"""``beskar7 calibrate``: the model's times from a run of the controller."""
