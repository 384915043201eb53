"""
One compiler a protocol: from botocore's model shapes to plain Python functions.

Each lane has two classes, of which `plan.py` and `replies.py` make one each for an operation. What
they offer:

RequestWriter(operation_model, serializer)
    binding: where each parameter goes (`rest.RequestBinding`). method, path: of the request; the
    path is a template. headers: those that the protocol adds. streams_payload: whether the body is
    a parameter as it is. body(params) -> bytes: the body, where it is not. may_have_body: whether
    any parameter goes there.
AnswerReader(shape, read_timestamp, read_blob)
    head: the reader of members in headers, or None. payload, is_stream: the member that is the
    body, and whether that is handed over unread. metadata_first: whether ResponseMetadata is the
    first key of the result. ids(headers) -> dict: the ids of the request in its headers.
    read_body(body, result, metadata): puts the members of a body into the result, and ids that
    are in it into the metadata.
"""
