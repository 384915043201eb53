"""`accelerate()`: the compiled call path. Start reading at `patch.py`, then `plan.py`."""
