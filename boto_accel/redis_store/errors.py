"""
BotoAccelError
└── UnpresignableError    a URL was asked for that Redis cannot serve
"""

from __future__ import annotations

from boto_accel.errors import BotoAccelError


class UnpresignableError(BotoAccelError):
    """*method* was called on a client of Redis."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method

    def __str__(self) -> str:
        return (
            f"{self.method}: an object in Redis has no URL that a browser could open; "
            "hand the object itself over, or use a client of a real S3"
        )
