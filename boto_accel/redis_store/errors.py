"""
BotoAccelError
├── UnpresignableError    a URL was asked for that Redis cannot serve
├── NotInForceError       no redis_s3() served a call; also botocore's EndpointResolutionError
└── InvalidOptionError
    └── UnknownSchemeError    a scheme that looks as one of ours; also EndpointResolutionError
"""

from __future__ import annotations

from botocore.exceptions import EndpointResolutionError

from boto_accel.errors import BotoAccelError, InvalidOptionError


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


class NotInForceError(BotoAccelError, EndpointResolutionError):  # type: ignore[misc]
    """
    A client of *endpoint_url* (shown without user, password and options) was used, and no
    `redis_s3()` in force took the call.

    Also an EndpointResolutionError, which is what botocore raises for such a URL: an `except` of
    botocore's errors holds whether this package is imported or not.
    """

    fmt = (
        "endpoint_url={endpoint_url!r}: no redis_s3() is in force for this call. Make it within "
        "`with boto_accel.redis_s3():`, or put it into force for good with "
        "`boto_accel.redis_s3().install()`"
    )

    def __init__(self, endpoint_url: str) -> None:
        EndpointResolutionError.__init__(self, endpoint_url=endpoint_url)
        self.endpoint_url = endpoint_url


class UnknownSchemeError(InvalidOptionError, EndpointResolutionError):  # type: ignore[misc]
    """
    The scheme of *endpoint_url* (shown without the rest) is none, and looks as one of ours.

    Also an EndpointResolutionError, as `NotInForceError`.
    """

    def __init__(self, endpoint_url: str, expected: str) -> None:
        InvalidOptionError.__init__(self, "endpoint_url", endpoint_url, expected)
        self.kwargs = {
            "endpoint_url": endpoint_url,
            "expected": expected,
        }  # `BotoCoreError`: pickled
