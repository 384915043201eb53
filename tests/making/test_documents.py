"""Documents: read once, read again when the file is another, and kept within bounds."""

from __future__ import annotations

import gc
import gzip
import json
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boto_accel.fastpath.making.documents import Documents
from tests.making.portrait import counted_reads


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """`write("name", content)` gives the path that is asked for, which has no extension."""

    def write_file(name: str, content: Any, packed: bool = False) -> str:
        path = tmp_path / f"{name}.json{'.gz' if packed else ''}"
        data = json.dumps(content).encode()
        new = tmp_path / "new"
        new.write_bytes(gzip.compress(data) if packed else data)
        os.replace(new, path)
        return str(tmp_path / name)

    return write_file


def content_of(documents: Documents, path: str) -> Any:
    document = documents.read(path)
    return None if document is None else document.copy()


def test_plain_and_packed(write: Callable[..., str], tmp_path: Path) -> None:
    documents = Documents()
    assert content_of(documents, write("a", {"x": [1]})) == {"x": [1]}
    assert content_of(documents, write("b", {"y": {}}, packed=True)) == {"y": {}}
    assert content_of(documents, write("c", ["é"])) == ["é"]
    assert documents.read(str(tmp_path / "none")) is None


def test_the_plain_file_comes_first(write: Callable[..., str]) -> None:
    """As in `JSONFileLoader.load_file`."""
    documents = Documents()
    assert content_of(documents, write("a", {"packed": 1}, packed=True)) == {"packed": 1}
    assert content_of(documents, write("a", {"plain": 1})) == {"plain": 1}


def test_a_file_that_changed_is_read_again(write: Callable[..., str]) -> None:
    """What was handed out before stays as it was."""
    documents = Documents()
    path = write("a", {"x": {"y": 1}})
    before = content_of(documents, path)
    write("a", {"x": {"y": 2}})
    assert content_of(documents, path) == {"x": {"y": 2}}
    assert before == {"x": {"y": 1}}
    os.remove(path + ".json")
    assert documents.read(path) is None


def test_the_last_ones_used_are_kept_up_to_a_size(write: Callable[..., str]) -> None:
    paths = [write(str(number), {"x": "x" * 92}) for number in range(5)]  # 101 bytes each
    documents = Documents(most_kept=303)
    read = [weakref.ref(documents.read(path)) for path in (*paths[:3], paths[0], paths[3])]  # type: ignore[arg-type]
    gc.collect()
    assert documents.kept == 303
    assert [each() is not None for each in read] == [True, False, True, True, True]


def test_one_that_is_larger_than_all_is_not_kept(write: Callable[..., str]) -> None:
    documents = Documents(most_kept=50)
    copy = content_of(documents, write("a", {"x": {"y": "z" * 100}}))
    assert documents.kept == 0
    assert copy["x"]["y"] == "z" * 100


def test_a_document_stays_with_its_copies(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all is let go of, those that live on share it still, and the last takes it along."""
    documents = Documents()
    path = write("a", {"x": {"y": 1}})
    with counted_reads(monkeypatch) as opened:
        copy = content_of(documents, path)
        documents.forget()
        assert documents.kept == 0
        content_of(documents, path)
        assert len(opened) == 1
        documents.forget()
        assert copy["x"] == {"y": 1}
        del copy
        gc.collect()
        content_of(documents, path)
        assert len(opened) == 2


def test_threads_read_a_file_once(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = Documents()
    path = write("a", {"x": list(range(1000))})
    barrier = threading.Barrier(8)
    found: list[Any] = []

    def read() -> None:
        barrier.wait()
        found.append(documents.read(path))

    with counted_reads(monkeypatch) as opened:
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(opened) == 1
    assert len(set(map(id, found))) == 1


def test_services_are_looked_for_again_when_the_folder_changes(tmp_path: Path) -> None:
    documents = Documents()
    looks: list[None] = []

    def look() -> list[str]:
        looks.append(None)
        return sorted(os.listdir(tmp_path))

    (tmp_path / "a").mkdir()
    os.utime(tmp_path, ns=(1, 1))
    for _ in range(2):
        assert documents.services(str(tmp_path), "service-2", look) == {"a"}
    assert len(looks) == 1
    (tmp_path / "b").mkdir()
    assert documents.services(str(tmp_path), "service-2", look) == {"a", "b"}
    assert documents.services(str(tmp_path), "waiters-2", look) == {"a", "b"}
    assert len(looks) == 3
    for number in range(100):  # whatever is asked for
        documents.services(str(tmp_path), str(number), look)
    assert documents.listings <= 32


def test_broken_files_are_stocks_to_complain_of(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        Documents().read(str(tmp_path / "a"))
