"""
Activates the patches of the environment, and then is as if it had never been there.

`boto-accel run` puts this folder in front of PYTHONPATH, and the module `site` imports us: in the
program, in its Python children, in any Python of any version and environment that they start. So
nothing newer than Python 2.7 is spelled here, and where boto_accel is missing nothing happens,
save in the very process that was to be run with it.
"""

import os
import sys

if __name__ == "sitecustomize":
    _folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [_each for _each in sys.path if os.path.abspath(_each) != _folder]
    _ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")  # the user's own, or that of the system
    except ImportError as _error:
        sys.modules["sitecustomize"] = _ours  # the import system wants to find what it imported
        if getattr(_error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        try:
            from boto_accel.startup.activation import activate
        # Not there, or not for this Python, which then may not even read it.
        except Exception as _error:
            # PROGRAM of startup/settings.py, which cannot be imported here.
            if os.environ.get("BOTO_ACCEL_PROGRAM_PID") == str(os.getpid()):
                _what = sys.executable + " cannot import boto_accel (" + str(_error) + ")"
                sys.stderr.write("boto-accel run: " + _what + "; install it there\n")
                sys.stderr.flush()
                os._exit(126)
        else:
            activate()
