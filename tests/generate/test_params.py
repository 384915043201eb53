"""The generators keep their promise for every operation of every service, not only for S3."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from botocore import handlers, serialize
from botocore.exceptions import ParamValidationError
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from tests.generate.choices import SeededChoices
from tests.generate.models import read_model, service_names
from tests.generate.params import fresh, make_params
from tests.generate.spoilt import SPOILERS, spoil_params

S3 = read_model("s3")
PARTS = 8  # so that xdist has something to share out


def operations(model: ServiceModel) -> Iterator[OperationModel]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        if not operation.has_event_stream_input:
            yield operation


def serialized(operation: OperationModel, params: dict[str, object]) -> dict[str, object]:
    """What botocore's serializer makes of *params* once its handlers for S3 have run."""
    if operation.service_model.service_name == "s3":
        for prepare in (handlers.sse_md5, handlers.copy_source_sse_md5):
            prepare(params)
        handlers.handle_copy_source_param(params)
        handlers.validate_ascii_metadata(params)
        handlers.validate_bucket_name(params)
    serializer = serialize.create_serializer(operation.service_model.resolved_protocol, True)
    made: dict[str, object] = serializer.serialize_to_request(params, operation)
    return made


@pytest.mark.parametrize("part", range(PARTS))
def test_parameters_of_every_operation_serialize(part: int) -> None:
    for service in service_names()[part::PARTS]:
        for operation in operations(read_model(service)):
            choices = SeededChoices(f"{service} {operation.name}")
            params = make_params(choices, operation)
            assert serialized(operation, fresh(params))["method"], (service, operation.name)


def test_the_same_seed_gives_the_same_parameters() -> None:
    for operation in operations(S3):
        once, again = (make_params(SeededChoices(operation.name), operation) for _ in range(2))
        assert repr(plain(once)) == repr(plain(again))


def plain(params: dict[str, object]) -> dict[str, object]:
    return {k: v.getvalue() if isinstance(v, io.BytesIO) else v for k, v in params.items()}


def test_most_members_are_given_sometimes() -> None:
    """Nothing is left out by accident but headers of the framing and event streams."""
    for operation in operations(S3):
        given = {name for seed in range(12) for name in make_params(SeededChoices(seed), operation)}
        shape = operation.input_shape
        missing = set(shape.members if shape else ()) - given
        assert missing <= {"ContentLength"}, operation.name


@pytest.mark.parametrize("how", list(SPOILERS))
def test_each_spoiler_applies_somewhere_in_s3(how: str) -> None:
    found = {
        spoil_params(SeededChoices(f"{seed} {operation.name}"), operation).how
        for seed in range(25)
        for operation in operations(S3)
    }
    assert how in found


def test_spoilt_parameters_are_mostly_refused() -> None:
    refused = total = 0
    for operation in operations(S3):
        for seed in range(4):
            spoilt = spoil_params(SeededChoices(f"{seed} {operation.name}"), operation)
            if spoilt.how in ("unknown_name", "missing_required", "too_short"):
                total += 1
                report = ParamValidator().validate(spoilt.params, operation.input_shape)
                refused += report.has_errors()
    assert total > 50
    assert refused > 0.9 * total


def test_a_refusal_is_botocore_s_own() -> None:
    operation = S3.operation_model("GetObject")
    with pytest.raises(ParamValidationError):
        serialized(operation, {"Bucket": "b/c", "Key": "k"})
