"""Many runs beside each other: :mod:`jobs` plays them, :mod:`options` reads where."""
