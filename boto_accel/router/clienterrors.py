"""Errors of S3, as the caller's client raises them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._call import Call
from boto_accel.router.rules import Place
from boto_accel.router.translate import error_for_user


def for_user(error: ClientError, call: Call, client: Any, place: Place | None) -> Exception:
    """*error*, which *client* raised at *place*, as the caller's client would raise it."""
    if type(error) is not error_class(client, error.response):
        return error  # somebody else's; it means what it says
    response = error.response if place is None else error_for_user(error.response, place)
    made: Exception = error_class(call.client, response)(response, call.operation)
    return made.with_traceback(error.__traceback__)


def error_class(client: Any, response: Mapping[str, Any]) -> Any:
    """Source: `BaseClient._make_api_call`."""
    error = response.get("Error", {})
    return client.exceptions.from_code(error.get("QueryErrorCode") or error.get("Code"))


def refusal(call: Call, code: str, message: str, status: int, **more: Any) -> ClientError:
    """An error as S3 would answer *call* with."""
    response = {
        "Error": {"Code": code, "Message": message, **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0},
    }
    made: ClientError = error_class(call.client, response)(response, call.operation)
    return made
