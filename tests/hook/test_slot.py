"""The slot: what is put on botocore, and that it comes off again."""

from __future__ import annotations

import functools
import inspect
import pickle
import threading
from typing import Any
from unittest import mock

import botocore.client
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ParamValidationError
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import integers

from boto_accel import _hook
from boto_accel._patch import Patch
from boto_accel._stack import Layer
from boto_accel.errors import PatchStateError, UnsupportedBotocoreError
from tests.hook.conftest import hooked_objects, make_s3, same
from tests.hook.patches import Answers, Marks, Passes


def attribute() -> Any:
    return BaseClient.__dict__["_make_api_call"]


def by(client: Any) -> Any:
    return client.list_buckets()["by"]


def test_existing_and_later_clients_follow(s3: Any) -> None:
    """A client made before the patch and one made under it are patched, and stock afterwards."""
    with Answers():
        later = make_s3()
        assert by(s3) == by(later) == "answers"
    with pytest.raises(ParamValidationError):
        later.get_object()
    later.close()


def test_looks_like_the_original() -> None:
    original = attribute()
    with Answers():
        wrapped = attribute()
        assert wrapped is not original
        assert wrapped.__name__ == "_make_api_call"
        assert wrapped.__wrapped__ is original
        assert inspect.signature(wrapped) == inspect.signature(original)


def test_called_with_keywords(s3: Any) -> None:
    with Answers():
        reply = s3._make_api_call(operation_name="ListBuckets", api_params={"Prefix": "p"})
    assert (reply["operation"], reply["params"]) == ("ListBuckets", {"Prefix": "p"})


def test_one_sender_is_called_without_anything_between() -> None:
    """The hot path: the entry of the stack is the sender's own method."""
    with Answers() as patch:
        assert _hook.stack.send == patch.send
        assert _hook.stack.asend == patch.asend
        assert _hook.stack.presign == patch.presign
    assert _hook.stack.send is None
    assert _hook.stack.presign is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_left_in_any_order(s3: Any, order: tuple[int, ...]) -> None:
    original = attribute()
    patches = [Answers("a"), Marks("m"), Answers("b")]
    for patch in patches:
        patch.__enter__()
    assert s3.list_buckets() == {"by": "a", "operation": "ListBuckets", "params": {}, "via": ["m"]}
    for index in order:
        assert attribute() is not original
        patches[index].__exit__()
    assert attribute() is original


def test_the_layer_decides_and_within_one_the_first_is_outermost(s3: Any) -> None:
    with Answers(), Marks("c1"), Marks("s", Layer.STORE), Marks("r", Layer.ROUTE), Marks("c2"):
        assert s3.list_buckets()["via"] == ["r", "c1", "c2", "s"]


def test_the_first_sender_that_matches_takes_the_call(s3: Any) -> None:
    with Answers("get", operations="get_object"), Answers("list"):
        assert by(s3) == "list"
        assert s3.get_object(Bucket="b", Key="k")["by"] == "get"


def test_no_sender_matches_is_stock(s3: Any) -> None:
    with Answers(operations="put_object"), pytest.raises(ParamValidationError):
        s3.get_object()


def test_entered_twice_is_one_patch(s3: Any) -> None:
    patch = Answers()
    with patch:
        with patch:
            assert _hook.stack.active == (patch,)
        assert by(s3) == "answers"
        assert (patch.opened, patch.closed) == (1, 0)
    assert (patch.opened, patch.closed) == (1, 1)
    with patch:
        assert by(s3) == "answers"
    assert (patch.opened, patch.closed) == (2, 2)


def test_an_error_inside_passes_through_and_leaves() -> None:
    original = attribute()
    with pytest.raises(KeyError, match="mine"), Answers():
        raise KeyError("mine")
    assert attribute() is original


def test_install_and_uninstall(s3: Any) -> None:
    patch = Answers().install()
    assert by(s3) == "answers"
    patch.install()
    patch.uninstall()
    assert by(s3) == "answers"
    patch.uninstall()
    with pytest.raises(PatchStateError) as caught:
        patch.uninstall()
    assert (caught.value.patch, caught.value.action) == ("Answers", "uninstall")
    with patch, pytest.raises(PatchStateError):
        patch.uninstall()
    with pytest.raises(PatchStateError):
        patch.__exit__()


class Broken(Answers):
    def _entered_first(self) -> None:
        raise OSError("no disk")


def test_what_cannot_open_changes_nothing() -> None:
    original, patch = attribute(), Broken()
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            patch.__enter__()
        assert attribute() is original
    with pytest.raises(PatchStateError):
        patch.__exit__()


def test_a_missing_target_is_named_and_nothing_changes() -> None:
    """Opened resources are closed again, and the next entering works."""
    patch, original = Answers(), attribute()
    del BaseClient._make_api_call
    try:
        with pytest.raises(UnsupportedBotocoreError) as caught:
            patch.__enter__()
        assert not hasattr(BaseClient, "_make_api_call")
    finally:
        BaseClient._make_api_call = original
    assert caught.value.wanted == "botocore.client.BaseClient._make_api_call"
    assert botocore.__version__ in caught.value.found
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert (patch.opened, patch.closed) == (1, 1)
    with patch:
        assert attribute() is not original


def foreign(inner: Any, calls: list[str]) -> Any:
    """A wrapper as other tools make them."""

    @functools.wraps(inner)
    def wrapper(self: Any, operation_name: str, api_params: Any) -> Any:
        calls.append(operation_name)
        return inner(self, operation_name, api_params)

    return wrapper


def test_wrapped_on_top_and_left_before(s3: Any) -> None:
    """Ours stays beneath, inert; acts again when entered again; comes off when theirs has gone."""
    calls: list[str] = []
    original, patch = attribute(), Answers()
    patch.__enter__()
    ours = attribute()
    BaseClient._make_api_call = theirs = foreign(ours, calls)
    assert by(s3) == "answers"
    patch.__exit__()
    assert attribute() is theirs
    with pytest.raises(ParamValidationError):
        s3.get_object()
    assert calls == ["ListBuckets", "GetObject"]
    with patch:
        assert attribute() is theirs
        assert by(s3) == "answers"
    BaseClient._make_api_call = ours
    with patch:
        assert attribute() is ours
        assert by(s3) == "answers"
    assert attribute() is original


def test_wrapped_on_top_and_left_after(s3: Any) -> None:
    original = attribute()
    with Answers():
        calls: list[str] = []
        with mock.patch.object(BaseClient, "_make_api_call", foreign(attribute(), calls)):
            assert by(s3) == "answers"
        assert by(s3) == "answers"
        assert calls == ["ListBuckets"]
    assert attribute() is original


def test_over_a_foreign_wrapper(s3: Any) -> None:
    """What was there before us is what is put back, and stock for us."""
    calls: list[str] = []
    with mock.patch.object(BaseClient, "_make_api_call", foreign(attribute(), calls)) as theirs:
        with Passes() as patch, pytest.raises(ParamValidationError):
            s3.get_object()
        assert attribute() is theirs
    assert (calls, patch.seen) == (["GetObject"], 1)


def test_removed_by_somebody_while_in_force(s3: Any) -> None:
    """Theirs was on first and went first, taking ours along: the next entering puts it on again."""
    original, patch = attribute(), Answers()
    with mock.patch.object(BaseClient, "_make_api_call", foreign(original, [])):
        patch.__enter__()
    assert attribute() is original
    patch.__exit__()
    assert attribute() is original
    with patch:
        assert by(s3) == "answers"


class Hidden:
    """A wrapper that does not show what it wraps."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, client: Any, operation_name: str, api_params: Any) -> Any:
        return self._inner(client, operation_name, api_params)

    def __get__(self, client: Any, owner: Any) -> Any:
        return functools.partial(self, client)


def test_a_hidden_wrapper_never_makes_two_of_ours_act(s3: Any) -> None:
    """Entered again on top of it, the one beneath is silent: each call is seen once."""
    original, patch = attribute(), Passes()
    patch.__enter__()
    BaseClient._make_api_call = hidden = Hidden(attribute())
    patch.__exit__()
    with patch, pytest.raises(ParamValidationError):
        s3.get_object()
    assert patch.seen == 1
    assert attribute() is hidden
    BaseClient._make_api_call = original


def test_a_subclass_that_overrides(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own method runs, and what it calls on `super()` is patched."""

    class Own(type(s3)):  # type: ignore[misc]
        def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
            reply = super()._make_api_call(operation_name, {**api_params, "Prefix": "own"})
            return {**reply, "own": True}

    monkeypatch.setattr(s3, "__class__", Own)
    with Answers():
        reply = s3.list_buckets()
    assert (reply["own"], reply["params"]) == (True, {"Prefix": "own"})


def test_narrowed_to_a_client_that_is_held_weakly(s3: Any) -> None:
    other = make_s3()
    with Answers("other", clients=other) as patch, Answers("all"):
        assert (by(other), by(s3)) == ("other", "all")
        other.close()
        del other
        assert not patch.matches(s3, "ListBuckets")


def test_threads_enter_and_leave(s3: Any) -> None:
    """While any thread is inside, the patch is in force; after the last, it is not."""
    patch, start, failures = Answers(), threading.Barrier(4), []

    def work() -> None:
        start.wait()
        for _ in range(100):
            with patch:
                if by(s3) != "answers":
                    failures.append("stock")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert patch.opened == patch.closed > 0


def test_entering_for_each_call_makes_nothing_new() -> None:
    with Answers():
        first = attribute()
    known = len(_hook._presigners)
    for _ in range(3):
        with Answers():
            assert attribute() is first
    assert len(_hook._presigners) == known


class Orders(RuleBasedStateMachine):
    """Enter and leave at will, with somebody else wrapping on top now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.before = hooked_objects()
        self.client = make_s3()
        self.patches: list[Patch] = [
            Answers("a"),
            Marks("m"),
            Answers("b"),
            Marks("r", Layer.ROUTE),
        ]
        self.depth = dict.fromkeys(range(4), 0)
        self.pile: list[Any] = []  # what each foreign wrapper covers

    @rule(index=integers(0, 3))
    def enter(self, index: int) -> None:
        self.patches[index].__enter__()
        self.depth[index] += 1

    @rule(index=integers(0, 3))
    def leave(self, index: int) -> None:
        if self.depth[index]:
            self.patches[index].__exit__()
            self.depth[index] -= 1
        else:
            with pytest.raises(PatchStateError):
                self.patches[index].__exit__()

    @rule()
    def wrap(self) -> None:
        self.pile.append(attribute())
        BaseClient._make_api_call = foreign(attribute(), [])

    @rule()
    def unwrap(self) -> None:
        if self.pile and attribute() is not self.before[0]:
            top = attribute()
            if top.__wrapped__ is self.pile[-1] and top.__code__.co_name == "wrapper":
                BaseClient._make_api_call = self.pile.pop()

    @invariant()
    def answers_as_entered(self) -> None:
        via = [name for index, name in ((3, "r"), (1, "m")) if self.depth[index]]
        senders = [p.name for p in _hook.stack.active if isinstance(p, Answers)]
        assert sorted(senders) == [n for i, n in ((0, "a"), (2, "b")) if self.depth[i]]
        if senders:
            reply = self.client.list_buckets()
            assert (reply["by"], reply.get("via", [])) == (senders[0], via)
        else:
            with pytest.raises(ParamValidationError):
                self.client.get_object()

    def teardown(self) -> None:
        while any(self.depth.values()):
            for index in self.depth:
                if self.depth[index]:
                    self.patches[index].__exit__()
                    self.depth[index] -= 1
        while self.pile:  # they go too, from the top
            if attribute().__code__.co_name != "wrapper":
                Answers().__enter__().__exit__()
                continue
            BaseClient._make_api_call = self.pile.pop()
        Answers().__enter__().__exit__()
        self.client.close()
        assert same(self.before, hooked_objects())


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, derandomize=True, database=None
)
