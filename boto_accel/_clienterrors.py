"""Errors of S3 that this package raises in its place, as a client raises them."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._call import Call


def error_class(client: Any, response: Mapping[str, Any]) -> Any:
    """Source: `BaseClient._make_api_call`."""
    error = response.get("Error", {})
    return client.exceptions.from_code(error.get("QueryErrorCode") or error.get("Code"))


def refusal(call: Call, code: str, message: str, status: int, **more: Any) -> ClientError:
    """An error as S3 would answer *call* with."""
    return refusal_of(call.client, call.operation, code, message, status, **more)


def precondition_failed(call: Call, condition: str) -> ClientError:
    """condition: the header that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return refusal(call, "PreconditionFailed", message, 412, Condition=condition)


def bare_refusal(call: Call, status: int) -> ClientError:
    """
    One without a document, such as the answer to a HEAD.

    Source: `BaseXMLResponseParser`; the words are those of `http.client`, which Python changes.
    """
    return refusal(call, str(status), http.client.responses.get(status, ""), status)


def refusal_of(
    client: Any, operation: str, code: str, message: str, status: int, **more: Any
) -> ClientError:
    """The same, for what is no call. more: members of the `Error`."""
    response = {
        "Error": {"Code": code, "Message": message, **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0},
    }
    made: ClientError = error_class(client, response)(response, operation)
    return made
