"""
Clients of all services, made stock and under `accelerate()`: told apart by nothing.

    python -m tests.making [--world sync|async] [service ...]

Takes some minutes; ends with 0 where all are equal.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

from boto_accel import accelerate
from tests.making.portrait import REGIONS, all_services, portrait, with_client


def differences(world: str, service: str, region: str) -> list[str]:
    """What differs: the names of parts of the portrait."""
    stock = with_client(world, service, portrait, region)
    with accelerate():
        with_client(world, service, lambda *_: None, region)
        shared = with_client(world, service, portrait, region)
    return [name for name in stock if stock[name] != shared[name]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.making", description=__doc__)
    parser.add_argument("--world", choices=("sync", "async"), action="append")
    parser.add_argument("services", nargs="*", help="all, where none is named")
    options = parser.parse_args()
    worlds = options.world or ["sync", *(["async"] if find_spec("aiobotocore") else [])]
    services = options.services or all_services()
    different = 0
    for world in worlds:
        for number, service in enumerate(services):
            found = differences(world, service, REGIONS[number % 4])
            different += bool(found)
            if found:
                print(f"\n{world} {service}: {', '.join(found)}")
            print(f"\r{world}: {number + 1} of {len(services)}", end="", flush=True)
        print()
    print(f"{len(services)} services, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
