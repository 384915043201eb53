"""Data from elsewhere, loaders of somebody else's, and replaced functions: as in stock."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore
import botocore.session
import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import JSONFileLoader, Loader

from boto_accel import accelerate
from boto_accel.fastpath.making import shared
from tests.making.portrait import CREDENTIALS, counted_reads, portrait

PACKAGED = Path(botocore.__file__).parent / "data"
SQS = "sqs/2012-11-05"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data path with a service of its own, and an SQS of its own with one operation."""
    for service in ("sqs", "mine"):
        shutil.copytree(PACKAGED / "sqs", tmp_path / service)
    for path in tmp_path.glob("*/*/service-2.json.gz"):
        path.unlink()
    model = Loader().load_service_model("sqs", "service-2")
    model["operations"] = {"ListQueues": model["operations"]["ListQueues"]}
    (tmp_path / SQS / "service-2.json").write_text(json.dumps(model))
    model["metadata"]["serviceId"] = "Mine"
    (tmp_path / "mine/2012-11-05/service-2.json").write_text(json.dumps(model))
    return tmp_path


def by_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DATA_PATH", str(folder))
    return botocore.session.Session()


def by_variable(folder: Path, _: pytest.MonkeyPatch) -> Any:
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(folder))
    return session


def by_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`~/.aws/models`, which botocore works out when it is imported."""
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(folder))
    return botocore.session.Session()


def by_search_path(folder: Path, _: pytest.MonkeyPatch) -> Any:
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.insert(0, str(folder))
    return session


def by_subclass(folder: Path, _: pytest.MonkeyPatch) -> Any:
    class Mine(Loader):
        BUILTIN_EXTRAS_TYPES = ()

    session = botocore.session.Session()
    session.register_component("data_loader", Mine(extra_search_paths=[str(folder)]))
    return session


def described(session: Any, service: str) -> dict[str, Any]:
    session = boto3.Session(botocore_session=session, region_name="us-east-1", **CREDENTIALS)
    client = session.client(service)
    try:
        return portrait(session, client)
    finally:
        client.close()


@pytest.mark.parametrize(
    "open_session", [by_environment, by_variable, by_home, by_search_path, by_subclass]
)
def test_data_of_the_users_own_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, open_session: Callable[..., Any]
) -> None:
    with monkeypatch.context() as patch:
        stock = {name: described(open_session(folder, patch), name) for name in ("sqs", "mine")}
        packaged = described(open_session(folder, patch), "sns")
    assert (
        stock["sqs"]["operations"] == stock["mine"]["operations"] == {"list_queues": "ListQueues"}
    )
    with accelerate():
        for _ in range(2):
            with monkeypatch.context() as patch:
                for name, expected in stock.items():
                    assert described(open_session(folder, patch), name) == expected
                assert described(open_session(folder, patch), "sns") == packaged
            assert len(described(botocore.session.Session(), "sqs")["operations"]) > 10


def test_what_is_changed_on_disk_is_read_by_the_next_session(folder: Path) -> None:
    """Even if neither size nor time tell: files of the user's own are not remembered."""
    path = folder / SQS / "service-2.json"
    times = path.stat()

    def uid() -> str:
        loader = Loader(extra_search_paths=[str(folder)])
        return str(loader.load_service_model("sqs", "service-2")["metadata"]["apiVersion"])

    with accelerate():
        assert uid() == "2012-11-05"
        path.write_text(
            path.read_text().replace('"apiVersion": "2012-11-05"', '"apiVersion": "1999-11-05"')
        )
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert uid() == "1999-11-05"


def test_a_service_that_is_added_is_found_by_the_next_session(folder: Path) -> None:
    def services() -> list[str]:
        return list(Loader(extra_search_paths=[str(folder)]).list_available_services("service-2"))

    with accelerate():
        assert "later" not in services()
        shutil.copytree(folder / "mine", folder / "later")
        assert "later" in services()
    assert "later" in services()


@pytest.fixture
def _accelerated() -> Iterator[None]:
    with accelerate():
        Loader().load_data("_retry")
        yield


class Own(JSONFileLoader):  # type: ignore[misc]
    def load_file(self, file_path: str) -> Any:
        found = super().load_file(file_path)
        return None if found is None else {"own": found}


class Other:
    """What a file loader must have, and no more."""

    def exists(self, file_path: str) -> bool:
        return file_path.endswith("x")

    def load_file(self, file_path: str) -> Any:
        return {"other": os.path.basename(file_path)}


@pytest.mark.usefixtures("_accelerated")
def test_file_loaders_of_somebody_elses() -> None:
    assert list(Loader(file_loader=Own()).load_data("_retry")) == ["own"]
    other = Loader(file_loader=Other())
    assert other.load_data("_retry") == {"other": "_retry"}
    assert other.list_available_services("service-2") == []
    assert "sqs" in Loader(file_loader=Own()).list_available_services("service-2")


@pytest.mark.usefixtures("_accelerated")
@pytest.mark.parametrize("whose", ["of one loader", "of all"])
def test_a_method_that_is_replaced_is_called(whose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = JSONFileLoader()
    target = loader if whose == "of one loader" else JSONFileLoader
    monkeypatch.setattr(target, "_load_file", lambda *_: {"mine": True})
    assert loader.load_file(str(PACKAGED / "_retry")) == {"mine": True}


def test_a_function_that_was_replaced_before_is_called_each_time() -> None:
    calls: list[str] = []
    stock = JSONFileLoader.load_file

    def load_file(self: Any, file_path: str) -> Any:
        calls.append(file_path)
        return stock(self, file_path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_file)
        with accelerate():
            for _ in range(3):
                Loader().load_data("_retry")
            assert vars(JSONFileLoader)["load_file"] is load_file
    assert sum(path.endswith("_retry") for path in calls) >= 3


def test_a_wrapper_that_came_later_stays_and_ours_is_inert_beneath_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, calls = str(PACKAGED / "_retry"), []
    monkeypatch.setattr(JSONFileLoader, "load_file", vars(JSONFileLoader)["load_file"])
    with accelerate():
        ours = JSONFileLoader.load_file

        def load_file(self: Any, file_path: str) -> Any:
            calls.append(file_path)
            return ours(self, file_path)

        JSONFileLoader.load_file = load_file
        assert is_shared(JSONFileLoader().load_file(path))
    assert vars(JSONFileLoader)["load_file"] is load_file
    with counted_reads(monkeypatch) as opened:
        assert not is_shared(JSONFileLoader().load_file(path))
    assert len(opened) == 1
    with accelerate():  # acts again
        assert is_shared(JSONFileLoader().load_file(path))
    assert calls == [path] * 3


def is_shared(value: Any) -> bool:
    return type(value) is shared.Copy


@pytest.mark.usefixtures("_accelerated")
def test_errors_are_stocks() -> None:
    loader = Loader()
    with pytest.raises(UnknownServiceError, match="Unknown service: 'none'"):
        loader.load_service_model("none", "service-2")
    with pytest.raises(DataNotFoundError):
        loader.load_service_model("sqs", "service-2", api_version="1999-01-01")
    with pytest.raises(DataNotFoundError):
        loader.load_data("none")
    assert JSONFileLoader().load_file(str(PACKAGED / "none")) is None
    assert JSONFileLoader().load_file(str(PACKAGED / "sqs")) is None
    with pytest.raises(TypeError):
        JSONFileLoader().load_file()
    with pytest.raises(TypeError):
        loader.list_available_services()
    with pytest.raises(TypeError):
        loader.list_available_services("service-2", type_name="service-2")


@pytest.mark.usefixtures("_accelerated")
def test_a_loader_gives_the_same_objects_again() -> None:
    """`instance_cache`: the data that a session has is one object, and so is its list."""
    loader = Loader()
    for call in (
        lambda: loader.load_data("endpoints"),
        lambda: loader.load_service_model("sqs", "service-2"),
        lambda: loader.list_available_services("service-2"),
        lambda: loader.list_available_services(type_name="service-2"),
    ):
        assert call() is call()
    assert Loader().load_data("endpoints") is not loader.load_data("endpoints")
