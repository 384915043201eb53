"""A folder for PYTHONPATH: what is in it, each Python that `boto-accel run` leads to imports."""
