"""
The cases of one operation: parameters and a raw answer each, made from the model and a seed.

The first good answers and the first request of each kind are compared by the fast path itself (see
docs/architecture.md, "Proof"); so minimal and full parameters come twice with other values, and
good answers come more often than the proof looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from tests.generate.answers import (
    RawAnswer,
    make_error,
    make_hostile,
    make_modelled_error,
    make_success,
)
from tests.generate.choices import Choices, SeededChoices
from tests.generate.enlarge import enlarged
from tests.generate.params import make_params
from tests.generate.spoilt import spoil_params


@dataclass(frozen=True)
class Case:
    """
    One call. *answers* are given in turn, the last one again; *endpoint* names an entry of
    `clients.ENDPOINTS`; *valid* parameters are sent.
    """

    name: str
    params: dict[str, Any]
    answers: tuple[RawAnswer, ...]
    endpoint: str = "resolved"
    valid: bool = True


# What a case is made of: its name, its parameters and its answer.
Recipe = tuple[str, Callable[..., dict[str, Any]], Callable[..., RawAnswer]]


def _minimal(choices: Choices, model: OperationModel) -> dict[str, Any]:
    return make_params(choices, model, 0)


def _full(choices: Choices, model: OperationModel) -> dict[str, Any]:
    return make_params(choices, model, 100)


def _large(choices: Choices, model: OperationModel) -> dict[str, Any]:
    return enlarged(choices, model, make_params(choices, model, 100))


def _spoilt(choices: Choices, model: OperationModel) -> dict[str, Any]:
    return spoil_params(choices, model).params


WIRE: tuple[Recipe, ...] = (
    ("minimal 1", _minimal, make_success),
    ("full 1", _full, make_success),
    ("minimal 2", _minimal, make_success),
    ("full 2", _full, make_success),
    ("random 1", make_params, make_success),
    ("random 2", make_params, make_success),
    ("random 3", make_params, make_success),
    ("large", _large, make_success),
)
ANSWERS: tuple[Recipe, ...] = (
    ("error 1", _minimal, make_error),
    ("error 2", _minimal, make_error),
    ("hostile 1", _minimal, make_hostile),
    ("hostile 2", _minimal, make_hostile),
    ("hostile 3", _minimal, make_hostile),
)
REFUSED: tuple[Recipe, ...] = (
    ("spoilt 1", _spoilt, make_success),
    ("spoilt 2", _spoilt, make_success),
)
LONG: Sequence[Recipe] = (*WIRE, *ANSWERS, *REFUSED)
SHORT: Sequence[Recipe] = (*WIRE[:6], ANSWERS[0], ANSWERS[2], REFUSED[0])


def make_cases(
    model: OperationModel, seed: str, recipes: Sequence[Recipe], *, all_errors: bool
) -> Iterator[Case]:
    """*recipes*, the modelled errors (*all_errors*: all of them, else one), other endpoints."""
    for name, make, answer in recipes:
        choices = choices_of(model, seed, name)
        made = make(choices, model)
        yield Case(name, made, (answer(choices, model),), valid=make is not _spoilt)
    yield from _modelled_errors(model, seed, all_errors)
    yield from _other_endpoints(model, seed)


def choices_of(model: OperationModel, seed: str, name: str) -> SeededChoices:
    return SeededChoices(f"{seed} {model.service_model.service_name} {model.name} {name}")


def _modelled_errors(model: OperationModel, seed: str, all_of_them: bool) -> Iterator[Case]:
    shapes = list(model.error_shapes)
    if not all_of_them and shapes:
        shapes = [choices_of(model, seed, "error").pick(shapes)]
    for shape in shapes:
        choices = choices_of(model, seed, shape.name)
        answer = make_modelled_error(choices, model, shape)
        yield Case(f"error {shape.name}", _minimal(choices, model), (answer,))


def _other_endpoints(model: OperationModel, seed: str) -> Iterator[Case]:
    """
    A client that tries again, one with an endpoint of the user's own and a session token; where
    there is a host prefix, also one without it.
    """
    choices = choices_of(model, seed, "retrying")
    answers = (make_error(choices, model), make_success(choices, model))
    yield Case("retrying", _minimal(choices, model), answers, endpoint="retrying")
    names = ["own"]
    if model.endpoint and model.endpoint.get("hostPrefix"):
        names.append("own, no prefix")
    for name in names:
        choices = choices_of(model, seed, name)
        answers = (make_success(choices, model),)
        yield Case(name, make_params(choices, model), answers, endpoint=name)
