"""
A long mix of calls against a server that fails at random: nothing leaks, nothing is mixed up.

`python -m tests.soak` (or `make soak`) runs it; `test_soak.py` runs a short form of it.
"""
