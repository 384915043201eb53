"""
Docstrings of this package as Markdown, for the reference of the site: an extension of griffe.

In a docstring "name: what it means" tells of a parameter, at the beginning of a line or after a
sentence. On the page each of them is an item of a list.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

NAME = re.compile(r"(\w+)(?![^(]*\))")  # not what is in parentheses behind it


class Parameters(griffe.Extension):
    """Lists the parameters of functions and classes."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        rewrite(func, names_of(func))

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        made = cls.members.get("__init__")
        if isinstance(made, griffe.Function):
            rewrite(cls, names_of(made))


def names_of(function: griffe.Function) -> list[str]:
    return [parameter.name for parameter in function.parameters if parameter.name != "self"]


def rewrite(documented: griffe.Object, names: list[str]) -> None:
    if documented.docstring is not None:
        documented.docstring.value = with_lists(inspect.cleandoc(documented.docstring.value), names)


def with_lists(text: str, names: list[str]) -> str:
    """*text*, with an item for each of *names* that it explains."""
    if not names:
        return text
    name = "|".join(map(re.escape, names))
    names_told = rf"(?:{name})(?:, (?:{name}))*(?: \([^)\n]+\))?"
    told = re.compile(rf"(?:^|(?<=[.;…])\s)\s*({names_told}):\s", re.MULTILINE)
    paragraphs = text.split("\n\n")
    return "\n\n".join(p if p.startswith("    ") else listed(p, told) for p in paragraphs)


def listed(paragraph: str, told: re.Pattern[str]) -> str:
    before, *parts = told.split(paragraph)
    if not parts:
        return paragraph
    items = [
        f"- **{as_code(names)}**: {' '.join(words.split())}"
        for names, words in zip(parts[::2], parts[1::2], strict=True)
    ]
    return "\n".join([before.rstrip(), "", *items] if before.strip() else items)


def as_code(names: str) -> str:
    return NAME.sub(r"`\1`", names)
