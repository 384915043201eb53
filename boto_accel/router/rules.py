"""
Which rule takes a bucket and a key, and where that is.

Rule: decisions only. Nothing here does I/O, knows botocore, or knows what a target is but for its
name. Rules are tried in order, and the first match wins. Patterns are those of `fnmatch`, case
counts: `*` matches any characters, "/" too.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from boto_accel.errors import InvalidOptionError

EVERYTHING = "*"
PROFILE_DEFAULT = "default"  # the client that boto-s3-router requires besides the profiles
MOST_BUCKETS = 1024  # whose branches are kept
_WILDCARD = re.compile(r"[*?[]")

# Field of a rule to its names: botwo's, then that of boto-s3-router.
_FIELDS = {
    "bucket_name": ("bucket_name", "source_bucket_pattern"),
    "key_pattern": ("key_pattern", "source_key_pattern"),
    "mapped_bucket_name": ("mapped_bucket_name",),
    "key_prefix": ("key_prefix", "mapped_prefix"),
    "client": ("client",),
}
_KNOWN = {name for names in _FIELDS.values() for name in names}
_EXPECTED_MAPPING = (
    "a list of rules, each a dict with bucket_name and client; or a dict of profiles, "
    "each a dict with source_bucket_pattern"
)


@dataclass(frozen=True)
class Rule:
    """
    One rule, checked. where: what it is called in messages: "mapping[1]".

    bucket_name and key_pattern are patterns; key_pattern is None for all keys. mapped_bucket_name
    is None where the name of the bucket stays.
    """

    where: str
    bucket_name: str
    client: str
    key_pattern: str | None = None
    mapped_bucket_name: str | None = None
    key_prefix: str = ""

    @property
    def takes_all_keys(self) -> bool:
        return self.key_pattern is None or self.key_pattern.strip("*") == ""

    @property
    def is_default(self) -> bool:
        return self.bucket_name == EVERYTHING and self.takes_all_keys

    @property
    def names_one_bucket(self) -> bool:
        return _WILDCARD.search(self.bucket_name) is None

    def __str__(self) -> str:
        keys = "" if self.key_pattern is None else f", key_pattern={self.key_pattern!r}"
        return f"{self.where} (bucket_name={self.bucket_name!r}{keys})"


class Place(NamedTuple):
    """
    Where keys of a bucket are: at *client*, in the bucket *mapped*, under *prefix*.

    bucket: its name in the calling code.
    """

    rule: Rule
    client: str
    bucket: str
    mapped: str
    prefix: str

    @property
    def is_renamed(self) -> bool:
        return self.bucket != self.mapped or self.prefix != ""

    def is_same_as(self, other: Place) -> bool:
        """Whether both are one place, though perhaps by two rules."""
        return self[1:] == other[1:]


class Branch(NamedTuple):
    """A rule for one bucket. matches: whether it takes a key; None if it takes all."""

    place: Place
    matches: Callable[[str], Any] | None


class Rules:
    """Rules in order. Raises InvalidOptionError unless just the last one is the default."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules: tuple[Rule, ...] = tuple(rules)
        self._matchers = [(rule, _matcher(rule.bucket_name), _keys_of(rule)) for rule in rules]
        self._branches: dict[str, tuple[Branch, ...]] = {}
        for rule in self.rules[:-1]:
            if rule.is_default:
                expected = "a bucket; '*' takes all, so the rules after it would never match"
                raise InvalidOptionError(f"{rule.where}.bucket_name", rule.bucket_name, expected)
        if not rules or not rules[-1].is_default:
            raise InvalidOptionError("mapping", "no default", "a last rule with bucket_name '*'")

    @property
    def default(self) -> Rule:
        return self.rules[-1]

    def branches(self, bucket: str) -> tuple[Branch, ...]:
        """What may take keys of *bucket*, in order; the last of them takes all keys."""
        known = self._branches.get(bucket)
        if known is None:
            if len(self._branches) >= MOST_BUCKETS:
                self._branches.clear()
            known = self._branches[bucket] = tuple(self._branches_of(bucket))
        return known

    def _branches_of(self, bucket: str) -> Iterator[Branch]:
        for rule, matches_bucket, matches_key in self._matchers:
            if matches_bucket(bucket):
                yield Branch(place_of(rule, bucket), matches_key)
                if matches_key is None:
                    return

    def place_of_key(self, bucket: str, key: str) -> Place:
        branches = self.branches(bucket)
        for place, matches in branches:
            if matches is None or matches(key):
                return place
        return branches[-1].place  # not reached: the last branch takes all

    def home(self, bucket: str) -> Place:
        """Where the bucket itself is: that of the keys which no pattern names."""
        return self.branches(bucket)[-1].place

    def places_of_prefix(self, bucket: str, prefix: str) -> tuple[Place, ...]:
        """Where keys that begin with *prefix* may be, each place once, in the order of rules."""
        found: list[Place] = []
        for place, matches in self.branches(bucket):
            if matches is not None and not _may_match(place.rule, prefix):
                continue
            if not any(place.is_same_as(other) for other in found):
                found.append(place)
            if matches is None or _matches_all(place.rule, matches, prefix):
                break
        return tuple(found)

    def is_at(self, place: Place, key: str) -> bool:
        """Whether *key* of the place's bucket is found there."""
        return place.is_same_as(self.place_of_key(place.bucket, key))

    def head_of_keys(self, place: Place, prefix: str) -> str:
        """What all keys that begin with *prefix* and may be at *place* begin with."""
        heads = [
            _literal_head(branch.place.rule.key_pattern or EVERYTHING)
            for branch in self.branches(place.bucket)
            if branch.place.is_same_as(place) and _may_match(branch.place.rule, prefix)
        ]
        common = _common_head(heads)
        return common if len(common) > len(prefix) else prefix

    def names_of_bucket(self, client: str, mapped: str) -> list[str]:
        """The names under which the calling code sees the bucket *mapped* of *client*."""
        names = {rule.bucket_name for rule in self.rules if rule.names_one_bucket}
        if not self._is_only_target(client, mapped):
            names.add(mapped)
        homes = ((name, self.home(name)) for name in sorted(names))
        return [name for name, home in homes if (home.client, home.mapped) == (client, mapped)]

    def _is_only_target(self, client: str, mapped: str) -> bool:
        """Whether a rule gives the bucket another name; only a rule for its own shows it then."""
        return any(
            (rule.client, rule.mapped_bucket_name) == (client, mapped) for rule in self.rules
        )


def place_of(rule: Rule, bucket: str) -> Place:
    return Place(rule, rule.client, bucket, rule.mapped_bucket_name or bucket, rule.key_prefix)


def _matcher(pattern: str) -> Callable[[str], Any]:
    return re.compile(fnmatch.translate(pattern)).match


def _keys_of(rule: Rule) -> Callable[[str], Any] | None:
    return None if rule.takes_all_keys else _matcher(rule.key_pattern or EVERYTHING)


def _literal_head(pattern: str) -> str:
    wildcard = _WILDCARD.search(pattern)
    return pattern if wildcard is None else pattern[: wildcard.start()]


def _may_match(rule: Rule, prefix: str) -> bool:
    """False only if the rule takes no key that begins with *prefix*."""
    if rule.takes_all_keys:
        return True
    pattern = rule.key_pattern or EVERYTHING
    head = _literal_head(pattern)
    if head == pattern:  # one key
        return head.startswith(prefix)
    return head.startswith(prefix) or prefix.startswith(head)


def _matches_all(rule: Rule, matches: Callable[[str], Any], prefix: str) -> bool:
    """True only if the rule takes each key that begins with *prefix*."""
    return bool((rule.key_pattern or EVERYTHING).endswith("*") and matches(prefix))


def _common_head(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    least, most = min(texts), max(texts)
    for index, letter in enumerate(least):
        if letter != most[index]:
            return least[:index]
    return least


# Reading what a user wrote ---------------------------------------------------------------------


def parse_rules(given: Any) -> Rules:
    """
    The rules of botwo's form (a list) or of boto-s3-router's (a dict of profiles).

    A rule is named after its place: "mapping[1]", "profiles['lakefs']". Profiles have a default
    without saying so: the client called "default". Raises InvalidOptionError.
    """
    if isinstance(given, Mapping):
        return Rules(_rules_of_profiles(given))
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidOptionError("mapping", type(given).__name__, _EXPECTED_MAPPING)
    return Rules([_rule(f"mapping[{index}]", fields, None) for index, fields in enumerate(given)])


def _rules_of_profiles(profiles: Mapping[Any, Any]) -> list[Rule]:
    rules = [_rule(f"profiles[{name!r}]", fields, name) for name, fields in profiles.items()]
    if not any(rule.is_default for rule in rules):
        rules.append(Rule("the default of profiles", EVERYTHING, PROFILE_DEFAULT))
    return rules


def _rule(where: str, given: Any, client: Any) -> Rule:
    if not isinstance(given, Mapping):
        raise InvalidOptionError(where, type(given).__name__, "a dict")
    fields = {**given} if client is None else {"client": client, **given}
    for name in fields:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise InvalidOptionError(where, name, f"only these fields: {known}")
    read = {field: _read(where, fields, names) for field, names in _FIELDS.items()}
    for field in ("bucket_name", "client"):
        if read[field] is None:
            raise InvalidOptionError(f"{where}.{field}", None, "a text; it is required")
    mapped = read["mapped_bucket_name"]
    if mapped is not None and _WILDCARD.search(mapped):
        raise InvalidOptionError(f"{where}.mapped_bucket_name", mapped, "the name of one bucket")
    return Rule(where, **{**read, "key_prefix": read["key_prefix"] or ""})


def _read(where: str, fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The one of *names* that is there; None for none."""
    given = [name for name in names if fields.get(name) is not None]
    if len(given) > 1:
        expected = f"it or {given[0]}, not both"
        raise InvalidOptionError(f"{where}.{given[1]}", fields[given[1]], expected)
    if not given:
        return None
    value = fields[given[0]]
    may_be_empty = given[0] in _FIELDS["key_prefix"]
    if not isinstance(value, str) or not (value or may_be_empty):
        raise InvalidOptionError(f"{where}.{given[0]}", value, "a text")
    return value
