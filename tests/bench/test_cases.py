"""The names of cases, and which of them are run."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from boto_accel.bench import cases
from boto_accel.bench.cases import Case, Tier, all_cases, for_endpoint, select_cases


def names(chosen: list[Case]) -> set[str]:
    return {case.name for case in chosen}


def test_a_name_means_one_case() -> None:
    assert len(names(all_cases())) == len(all_cases())


def test_each_tier_adds_to_the_one_before() -> None:
    quick, usual, full = (names(select_cases(tier)) for tier in Tier)
    assert quick < usual < full == names(all_cases())


@pytest.mark.parametrize("pattern", [*cases._QUICK, *cases._USUAL])
def test_no_pattern_of_a_tier_is_stale(pattern: str) -> None:
    """A misspelt one would silently leave cases out."""
    assert any(fnmatchcase(case.name, pattern) for case in all_cases())


def test_a_whole_name_chooses_that_case_alone() -> None:
    assert names(select_cases(Tier.QUICK, ("boto3/http/get/1KiB/t1",))) == {
        "boto3/http/get/1KiB/t1"
    }


def test_patterns_choose_from_all_cases_and_not_from_the_tier() -> None:
    chosen = names(select_cases(Tier.QUICK, ("aiobotocore/https/*/64KiB/*", "presign")))
    assert "aiobotocore/https/put/64KiB/c1000/uvloop" in chosen
    assert "boto3/http/presign-default/t1" in chosen
    assert all("64KiB" in name or "presign" in name for name in chosen)


def test_nothing_is_chosen_by_what_no_case_is_called() -> None:
    assert select_cases(Tier.FULL, ("get/2KiB",)) == []


def test_an_endpoint_has_one_scheme_and_no_bare_socket() -> None:
    chosen = for_endpoint(all_cases(), "https")
    assert {case.scheme for case in chosen} == {"https"}
    assert "socket" not in {case.client for case in chosen}
    assert len(names(chosen)) == len(chosen)
    assert len(chosen) < len(all_cases())
