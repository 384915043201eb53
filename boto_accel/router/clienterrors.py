"""Errors of S3 that come from a target, as the caller's client raises them."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from boto_accel._call import Call
from boto_accel._clienterrors import error_class
from boto_accel.router.rules import Place
from boto_accel.router.translate import error_for_user


def for_user(error: ClientError, call: Call, client: Any, place: Place | None) -> Exception:
    """*error*, which *client* raised at *place*, as the caller's client would raise it."""
    if type(error) is not error_class(client, error.response):
        return error  # somebody else's; it means what it says
    response = error.response if place is None else error_for_user(error.response, place)
    made: Exception = error_class(call.client, response)(response, call.operation)
    return made.with_traceback(error.__traceback__)
