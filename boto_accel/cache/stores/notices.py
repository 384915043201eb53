"""Warnings of stores: each kind once, for a broken disk is broken at every call."""

from __future__ import annotations

import logging

logger = logging.getLogger("boto_accel")


class Notices:
    """*subject* names the store in the log; it holds no password."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._said: set[str] = set()

    def once(self, kind: str, text: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("response cache %s: %s", self._subject, text)
