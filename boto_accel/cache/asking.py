"""
The reply to a call that is not at hand: in the flight of another thread or task, in the store, in
the flight of another process, and then at AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._bodies import body_of, length_of, read_body
from boto_accel._call import Call, Flavour
from boto_accel._effects import Await, Blocking, Closed, Detach, Effect, Forward, Sleep, Steps
from boto_accel.cache.attempt import Asked, Attempt, Found
from boto_accel.cache.background import Background
from boto_accel.cache.codec import REPLY, Kept
from boto_accel.cache.drive import Steps as StoreSteps
from boto_accel.cache.drive import arun_to_the_end, run, single
from boto_accel.cache.flights import Flight, Flights, Landing
from boto_accel.cache.freshness import State
from boto_accel.cache.key import Uncacheable
from boto_accel.cache.plan import principal_of
from boto_accel.cache.replies import Replies
from boto_accel.cache.store import Store

MOST_ROUNDS = 3  # of waiting for others in this process; then one asks for itself
LONGEST_LEAD_S = 30.0  # seconds to wait for another process; then likewise
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1  # seconds between looks at what it does

LONG_STREAM = "a stream of unknown length, or too long"
ANOTHER_CALLER = "credentials that changed during the call"


class Asker:
    """Of one cache. store: opens it, where it is not open. uncached: as in `Replies`."""

    def __init__(
        self,
        store: Callable[[], Store],
        replies: Replies,
        flights: Flights,
        background: Background,
        clock: Callable[[], float],
        uncached: Callable[[Call, str], None],
    ) -> None:
        self._store = store
        self._replies = replies
        self._options = replies.options
        self._stats = replies.stats
        self._flights = flights
        self._background = background
        self._clock = clock
        self._uncached = uncached

    def look_further(self, asked: Asked) -> Steps:
        """What another thread, task or process has or gets, or AWS says."""
        failures = 0
        for _ in range(MOST_ROUNDS):
            flight, leads = self._flights.join(asked.key)
            if leads:
                attempt = self._attempt(asked)
                outcome = yield from self._fly(
                    asked.call, flight, attempt, self._lead(asked, attempt)
                )
                if isinstance(outcome, Found):
                    return (yield from self.give_found(asked, outcome))
                return outcome
            is_sync = asked.call.flavour is Flavour.SYNC
            how = yield Await(flight.wait if is_sync else flight.wait_async)
            if how is Landing.KEPT:
                found = yield from self._look(asked)
                if found is not None:
                    return (yield from self.give_found(asked, found))
            # One failure may have been an accident. After a second one all that still wait ask
            # at once, as they would have done: a queue of time-outs helps nobody.
            failures += how is Landing.FAILED
            if how is Landing.TIMED_OUT:
                self._flights.land(asked.key, flight, how)
            if failures > 1 or how not in (Landing.KEPT, Landing.FAILED, Landing.VANISHED):
                break
        return (yield from self.ask_alone(asked))

    def _look(self, asked: Asked) -> Steps:
        """What a flight has brought."""
        entry = self._store().peek(asked.key)
        if entry is None:
            entry = yield on_store(self._store(), asked.call, single("get", asked.key))
        return None if entry is None else self._replies.read(asked.plan, asked.key, entry)

    def _attempt(self, asked: Asked) -> Attempt:
        read = partial(self._replies.read, asked.plan, asked.key)
        return Attempt(asked.key, asked.tags(), read)

    def _fly(self, call: Call, flight: Flight, attempt: Attempt, steps: Steps) -> Steps:
        """Run *steps*, which are of *attempt*, and tell those who wait how it ended."""
        how, closing = Landing.VANISHED, False
        try:
            flight.take()
            outcome = yield from steps
            how = Landing.KEPT if attempt.kept else Landing.UNKEPT
            return outcome
        except Exception:
            how = Landing.KEPT if attempt.kept else Landing.FAILED
            raise
        except Closed:
            closing = True
            raise
        finally:
            self._flights.land(attempt.key, flight, how)
            attempt.abandon()
            if attempt.leads:
                yield on_store(self._store(), call, attempt.done(), closing=closing)

    def _lead(self, asked: Asked, attempt: Attempt) -> Steps:
        """
        What the store has, a `Found`; or else what AWS says to one process on behalf of all.

        Another process that asks is waited for, within bounds.
        """
        found = yield on_store(self._store(), asked.call, attempt.begin())
        waited, pause = 0.0, FIRST_PAUSE_S
        while found is None and not attempt.leads and waited < LONGEST_LEAD_S:
            yield Sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)
            found = yield on_store(self._store(), asked.call, attempt.begin())
        if found is not None:
            return found
        return (yield from self._ask(asked, attempt))

    def give_found(self, asked: Asked, found: Found) -> Steps:
        if found.state is State.STALE:
            yield from self._revalidate(asked)
        return self._replies.give(asked.call, found)

    def _revalidate(self, asked: Asked) -> Steps:
        """Ask anew in the background, unless somebody is at it."""
        flight, leads = self._flights.join(asked.key)
        if not leads:
            return
        attempt = self._attempt(asked)
        renew = yield Detach(self._fly(asked.call, flight, attempt, self._renew(asked, attempt)))
        ended = partial(self._flights.land, asked.key, flight, Landing.VANISHED)
        if asked.call.flavour is Flavour.ASYNC:
            self._background.start_task(renew, ended)
        elif not self._background.start_thread(renew, ended):
            ended()

    def _renew(self, asked: Asked, attempt: Attempt) -> Steps:
        if (yield on_store(self._store(), asked.call, attempt.begin_anew())):
            yield from self._ask(asked, attempt)

    # AWS

    def ask_alone(self, asked: Asked) -> Steps:
        attempt = self._attempt(asked)
        yield on_store(self._store(), asked.call, attempt.depart())
        return (yield from self._ask(asked, attempt))

    def _ask(self, asked: Asked, attempt: Attempt) -> Steps:
        """The reply of AWS, kept if it can be. Its age counts from when it was asked for."""
        self._stats.count("misses")
        asked_at = self._clock()
        try:
            reply = yield Forward(asked.call)
        except ClientError as error:
            entry = self._replies.entry_of_error(asked, error, asked_at, attempt)
            if entry is not None and (yield from self._is_same_caller(asked)):
                yield on_store(self._store(), asked.call, attempt.arrive(entry))
            raise
        kept: Kept | None = Kept(REPLY, "", reply)
        if asked.plan.stream:
            kept, reply = yield from self._read_stream(asked, reply)
        if not (yield from self._is_same_caller(asked)):
            return reply
        entry = self._replies.entry_of(asked, kept, asked.plan.lifetime, asked_at, attempt)
        if entry is not None:
            yield on_store(self._store(), asked.call, attempt.arrive(entry))
        return reply

    def _is_same_caller(self, asked: Asked) -> Steps:
        """Credentials that were refreshed meanwhile may be somebody else's."""
        try:
            is_same = (yield from principal_of(asked.scope)) == asked.principal
        except Uncacheable:
            is_same = False
        if not is_same:
            self._uncached(asked.call, ANOTHER_CALLER)
        return is_same

    def _read_stream(self, asked: Asked, reply: Any) -> Steps:
        """(what to keep or None, the caller's reply with a body that can be read)"""
        member = asked.plan.stream
        body, length = reply.get(member), length_of(reply)
        if not hasattr(body, "read") or length is None or length > self._options.max_body_bytes:
            self._uncached(asked.call, LONG_STREAM)
            return None, reply
        found = yield from read_body(body)
        kept = Kept(REPLY, member, {**reply, member: found.data}) if found.error is None else None
        return kept, {**reply, member: body_of(found, length, asked.call.flavour)}


def on_store(store: Store, call: Call, steps: StoreSteps[Any], *, closing: bool = False) -> Effect:
    """
    Run *steps* on the store: in the event loop of *call* where both can, else in a thread.

    closing: the call is being closed, and can await no more.
    """
    if call.flavour is Flavour.SYNC or closing or store.aio is None:
        return Blocking(partial(run, steps, store))
    return Await(partial(arun_to_the_end, steps, store.aio))
