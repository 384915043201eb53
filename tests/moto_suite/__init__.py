"""moto's own tests as a test of ours: see `__main__`."""
