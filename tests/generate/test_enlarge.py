"""A long text or blob is put where the body is, and only there."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from tests.generate.choices import SeededChoices
from tests.generate.enlarge import SIZES, enlarged
from tests.generate.params import make_params

SESSION = botocore.session.Session()


def operation(service: str, name: str) -> OperationModel:
    return SESSION.get_service_model(service).operation_model(name)


@pytest.mark.parametrize(
    ("service", "name"),
    [("dynamodb", "PutItem"), ("lambda", "UpdateFunctionCode"), ("ec2", "RunInstances")],
)
def test_one_value_is_long_and_all_is_valid(service: str, name: str) -> None:
    model = operation(service, name)
    for seed in range(20):
        choices = SeededChoices(seed)
        params = enlarged(choices, model, make_params(choices, model, 100))
        assert len(repr(params)) > min(SIZES)
        assert not ParamValidator().validate(params, model.input_shape).has_errors()


def test_what_is_in_the_url_or_a_header_stays_short() -> None:
    model = operation("lambda", "GetFunction")
    for seed in range(20):
        choices = SeededChoices(seed)
        params = make_params(choices, model, 100)
        assert enlarged(choices, model, dict(params)) == params
