"""What the router says on its own account, before anything is sent."""

from __future__ import annotations

from boto_accel.errors import BotoAccelError


class UnroutableError(BotoAccelError):
    """*operation* cannot be done under *rule* (its number and pattern), because of *reason*."""

    def __init__(self, operation: str, rule: str, reason: str) -> None:
        super().__init__(operation, rule, reason)
        self.operation = operation
        self.rule = rule
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.operation} cannot be routed by {self.rule}: {self.reason}"
