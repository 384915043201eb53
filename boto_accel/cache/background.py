"""
Refreshes that outlive the call that asked for them: in a thread, or in a task of its event loop.

All of them are known, and are at an end when the cache is left.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from boto_accel.cache.forks import forget_in_children

logger = logging.getLogger("boto_accel")

MOST_THREADS = 4  # at once; a refresh that finds no place is left to a later call


class Background:
    """Threads and tasks of one cache. What they raise is logged, and nobody's error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        forget_in_children(self)

    def start_thread(self, run: Callable[[], Any], ended: Callable[[], None]) -> bool:
        """
        ended: called when it is over, whichever way. False if there are too many threads; neither
        is called then.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._work, run, ended),
            name="cache refresh",
            daemon=True,
        )
        with self._lock:
            if len(self._threads) >= MOST_THREADS:
                return False
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            with self._lock:
                self._threads.discard(thread)
            return False
        return True

    def _work(self, run: Callable[[], Any], ended: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:
            _log(error)
        finally:
            ended()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def start_task(
        self, run: Callable[[], Coroutine[Any, Any, Any]], ended: Callable[[], None]
    ) -> None:
        """ended: also where the task is cancelled before its first step."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._work_async(run))
        self._tasks[task] = loop
        task.add_done_callback(self._forget)
        task.add_done_callback(lambda _: ended())

    async def _work_async(self, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            await run()
        except Exception as error:
            _log(error)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def close(self) -> None:
        """Cancel the tasks, and wait for the threads."""
        for task, loop in list(self._tasks.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    async def finish(self) -> None:
        """Wait for the tasks of this loop, which `close` has cancelled."""
        loop = asyncio.get_running_loop()
        tasks = [task for task, its in list(self._tasks.items()) if its is loop]
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self) -> None:
        """In a forked child: none of them is there."""
        self._lock = threading.Lock()
        self._threads = set()
        self._tasks = {}


def _log(error: Exception) -> None:
    # Not the text, which may quote parameters; the call that needs the answer will raise it.
    logger.debug("response cache: a refresh failed: %s", type(error).__name__)
