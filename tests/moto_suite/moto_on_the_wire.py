"""
A plugin for pytest, for moto's tests at a server: nothing of moto's is in the way of a call.

moto puts a handler of its own into all clients, as soon as it is imported. At a server it does
nothing, but a call of a client that it is in is stock's.
Source: moto.core.models, `BUILTIN_HANDLERS.append(("before-send", botocore_stubber))`.
"""

from __future__ import annotations

import moto.core.models
from botocore import handlers

handlers.BUILTIN_HANDLERS[:] = [
    each for each in handlers.BUILTIN_HANDLERS if each[1] is not moto.core.models.botocore_stubber
]
