"""
The errors of this package.

    BotoAccelError
    ├── UnsupportedBotocoreError    botocore or aiobotocore lacks what a feature needs
    ├── MissingExtraError           an optional library is not installed
    ├── PatchStateError             a patch was left that had not been entered
    └── InvalidOptionError          an option of a patch is wrong; also a ValueError

They are for misuse and for unsupported versions. What a service would say is raised as botocore
says it, so that an `except ClientError` keeps working.

`args` of each error are its facts, in the order of the constructor: so all of them pickle.
"""

from __future__ import annotations

_PLAIN = (str, bytes, int, float, bool, type(None))


class BotoAccelError(Exception):
    """The root: whatever this package raises on its own account."""


class UnsupportedBotocoreError(BotoAccelError):
    """*feature* is not available: *found* is installed (at *where*), *wanted* is needed."""

    def __init__(self, feature: str, found: str, wanted: str, where: str) -> None:
        super().__init__(feature, found, wanted, where)
        self.feature = feature
        self.found = found
        self.wanted = wanted
        self.where = where

    def __str__(self) -> str:
        return f"{self.feature}: {self.found} is installed ({self.where}); needed: {self.wanted}"


class MissingExtraError(BotoAccelError):
    """*feature* needs the library *package*, which comes with the extra *extra*."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(feature, package, extra)
        self.feature = feature
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"{self.feature} needs {self.package}, which is not installed; "
            f"pip install 'boto_accel[{self.extra}]'"
        )


class PatchStateError(BotoAccelError):
    """*action* was asked of *patch* (the name of its class), but *state*."""

    def __init__(self, patch: str, action: str, state: str) -> None:
        super().__init__(patch, action, state)
        self.patch = patch
        self.action = action
        self.state = state

    def __str__(self) -> str:
        return f"{self.patch}: cannot {self.action}, {self.state}"


class InvalidOptionError(BotoAccelError, ValueError):
    """
    *parameter* cannot be *value*; *expected* says what it can be.

    A *value* that is no plain scalar is kept as its `repr`: a client does not pickle, and an
    error must not keep one alive.
    """

    def __init__(self, parameter: str, value: object, expected: str) -> None:
        kept = value if type(value) in _PLAIN else repr(value)
        # Not `super()`, which may be an error of botocore's that a child is, too (Python 3.14).
        ValueError.__init__(self, parameter, kept, expected)
        self.parameter = parameter
        self.value = kept
        self.expected = expected

    def __str__(self) -> str:
        shown = (
            self.value
            if isinstance(self.value, str) and self.value[:1] == "<"
            else repr(self.value)
        )
        return f"{self.parameter}={shown}; expected {self.expected}"
