"""
Who leads: a name for this process that another one can find to be gone.

A name is `machine:pid:start:random`. *machine* is the boot and, in containers, the namespace that
the pid counts in; *start* tells a process from a later one of the same pid. Where the system does
not say (there is no /proc), these are empty and only the expiry of leadership helps.
"""

from __future__ import annotations

import os
import secrets

_BOOT = "/proc/sys/kernel/random/boot_id"  # proc(5)
_PID_NAMESPACE = "/proc/self/ns/pid"  # pid_namespaces(7)


def new_owner() -> bytes:
    """A name that no one else has. Not for use in a forked child, which is another process."""
    pid = os.getpid()
    parts = (_machine(), str(pid), _start(pid) or "", secrets.token_hex(8))
    return ":".join(parts).encode()


def is_gone(owner: bytes) -> bool:
    """Whether *owner* was a process of this machine, and has ended."""
    machine, _, rest = owner.partition(b":")
    pid, _, rest = rest.partition(b":")
    start = rest.partition(b":")[0]
    if not machine or not start or machine != _machine().encode() or not pid.isdigit():
        return False
    return _start(int(pid)) != start.decode("ascii", "replace")


def _machine() -> str:
    try:
        with open(_BOOT, encoding="ascii") as file:
            return f"{file.read().strip()}/{os.readlink(_PID_NAMESPACE)}".replace(":", "")
    except OSError:
        return ""


def _start(pid: int) -> str | None:
    """Clock ticks from boot to the start of *pid*; None if it is no more, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # proc(5): the name is in parentheses and may hold any; the state is field 3, the
            # start field 22.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
