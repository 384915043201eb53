"""Threads that make clients at once, and forks while they do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WITHIN_S = 120  # seconds; a program that takes longer hangs
BEGINNING = """
import collections, os, sys, threading
import boto3, botocore.loaders
from boto_accel import accelerate
from tests.making.portrait import CREDENTIALS
opened = collections.Counter()
def counting(opener):
    def read(path, *args):
        opened[path] += 1
        return opener(path, *args)
    return read
openers = botocore.loaders._JSON_OPEN_METHODS
openers.update({end: counting(each) for end, each in openers.items()})
patch = accelerate().install()
def make(service):
    session = boto3.Session(region_name="us-east-1", **CREDENTIALS)
    return session, session.client(service)
"""
THREADS = """
barrier = threading.Barrier(16)
made, errors = [], []
def work(service):
    barrier.wait()
    try:
        made.append((service, make(service)))
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=work, args=(("s3", "sqs", "ec2")[n % 3],)) for n in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not errors, errors
assert len(made) == 16
assert len(opened) >= 8 and set(opened.values()) == {1}, opened
names = {service: set() for service, _ in made}
for service, (_, client) in made:
    names[service].add(tuple(client.meta.service_model.shape_names))
assert all(len(each) == 1 for each in names.values())
"""
# Children are forked from one thread while others are in the middle of reading and making.
FORKS = """
from boto_accel.fastpath.making.documents import documents
over = threading.Event()
def work():
    while not over.is_set():
        make("sqs"), documents.forget(), make("sns")
threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
[thread.start() for thread in threads]
kept = make("dynamodb")
for _ in range(12):
    child = os.fork()
    if child == 0:
        kept[1].meta.service_model.operation_model("PutItem").input_shape.members
        assert "GetObject" in make("s3")[1].meta.service_model.operation_names
        make("sqs"), make("dynamodb")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
over.set()
[thread.join() for thread in threads]
"""
PREFORK = """
make("s3")
opened.clear()
for _ in range(2):
    child = os.fork()
    if child == 0:
        make("s3")
        os._exit(1 if opened else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


def run_program(text: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGINNING + text],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_threads_read_each_file_once() -> None:
    run_program(THREADS)


@needs_fork
def test_forks_while_threads_make_clients() -> None:
    run_program(FORKS)


@needs_fork
def test_children_share_what_their_parent_has_read() -> None:
    """As the workers of a server that forks before it serves."""
    run_program(PREFORK)
