"""
Checks that the types of the public API are complete, as pyright's --verifytypes sees them.

    python tools/public_types.py PYRIGHT

PYRIGHT is the command; it looks at this interpreter's environment. Public are the names in
`boto_accel.__all__`, those that tests/typing/api.py imports besides, and their members. What they
lead to counts: a function is not complete if a member of what it returns has an unknown type.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

PACKAGE = "boto_accel"
SURFACE = "tests/typing/api.py"
# Said of a class with a base of botocore's, which has no types, --ignoreexternal or not.
EXTERNAL = {"Type of base class unknown", "Type of metaclass unknown"}


def main() -> None:
    symbols = verified(pyright=sys.argv[1])
    names = public_names()
    unknown = [f"pyright does not know of {name}" for name in sorted(names - symbols.keys())]
    found = [symbol for name, symbol in symbols.items() if is_public(name, names)]
    problems = [*unknown, *(text for symbol in found for text in problems_of(symbol))]
    print(f"{len(names)} public names, {len(found)} symbols, {len(problems)} problems")
    if problems:
        raise SystemExit("\n".join(problems))


def verified(pyright: str) -> dict[str, dict[str, Any]]:
    """By its full name, what pyright tells of each symbol of the package."""
    of_package = ["--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson"]
    command = [pyright, "--pythonpath", sys.executable, *of_package]
    # An editable installation is found by code, which pyright does not run.
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    # Its status is about all symbols, private parts of the package included.
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environ, check=False)
    return {each["name"]: each for each in json.loads(done.stdout)["typeCompleteness"]["symbols"]}


def public_names() -> set[str]:
    """Where they are defined; pyright tells of members there, and not where they are exported."""
    return {home(module, name) for module, name in [*exported(), *imported()]}


def exported() -> list[tuple[str, str]]:
    return [(PACKAGE, name) for name in import_module(PACKAGE).__all__ if name != "__version__"]


def imported() -> Iterator[tuple[str, str]]:
    with open(SURFACE, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            yield from ((node.module or "", each.name) for each in node.names)


def home(module: str, name: str) -> str:
    found = getattr(import_module(module), name)
    return f"{found.__module__}.{found.__qualname__}"


def is_public(name: str, names: set[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in names)


def problems_of(symbol: dict[str, Any]) -> list[str]:
    if symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]:
        return []
    told = [each["message"] for each in symbol["diagnostics"]] or ["a part of it is not known"]
    return [f"{symbol['name']}: {text}" for text in told if text not in EXTERNAL]


if __name__ == "__main__":
    main()
