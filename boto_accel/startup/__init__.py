"""
Patches by environment: for programs that `boto-accel run` starts, and by the hook in site-packages.

What is imported at the start of an interpreter is imported for programs that know nothing of it:
nothing here may import botocore before they do, fail their start, or say more than one line.
"""
