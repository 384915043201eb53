"""
Which file may import which, and who may touch botocore: the rules, and every file held to them.

Everything is read from the source, nothing is imported, but for the cost of `import boto_accel`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "boto_accel"

CAPABILITIES = {"fastpath", "cache", "router", "batch", "redis_store", "datastore"}

# Built on the public names, as a user's program is: these alone import the package root.
USERS = {"bench", "commands", "cli", "pytest_plugin", "startup"}

# Top-level modules that everybody may import, besides those with an underscore.
COMMON = {"errors", "stats"}

# Frozen data: the standard library only.
STANDARD_LIBRARY_ONLY = {"_call.py", "_effects.py", "errors.py"}

# Decisions, functions of their arguments. The folder may not exist yet; if it does, so do these.
PURE = {
    "cache": ("key.py", "policy.py", "freshness.py", "codec.py"),
    "router": ("rules.py", "translate.py"),
    "batch": ("tar.py", "index.py"),
    "redis_store": (
        "semantics.py",
        "checksums.py",
        "keys.py",
        "merging.py",
        "records.py",
        "scripts.py",
        "urls.py",
    ),
}
NOT_WITHOUT_IO = frozenset(
    [
        "asyncio",
        "redis",
        "select",
        "selectors",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "threading",
    ]
)
NOT_IN_PURE = NOT_WITHOUT_IO | {"aiobotocore", "boto3", "botocore", "http", "time", "urllib3"}

# Without I/O, though they may know botocore: they compile its models, or bytes that others move.
WITHOUT_IO = ("fastpath/lanes/*.py", "fastpath/transport/http1.py")

# The libraries that are patched, and whose private attributes are theirs.
FOREIGN = ("botocore", "aiobotocore", "boto3", "aioboto3", "s3transfer")

ASSIGNS = frozenset({"_hook.py"})
READS_PRIVATES = frozenset({"_compat.py", "_hook.py"})

# Public in spite of the underscore: documented of namedtuples, sys and os.
PUBLIC_UNDERSCORES = {
    "_asdict",
    "_exit",
    "_fields",
    "_getframe",
    "_is_gil_enabled",
    "_make",
    "_replace",
}

# Private functions of botocore's (and urllib3's) that a step hands its work to, where it does so.
# Where one is gone, making the plan declines (`ClientState._make`), or the proof does: a call of
# them costs no correctness. What is only read is in _compat.py. This list may only get shorter,
# and a test says when it can.
CALLED_OUTSIDE_COMPAT: dict[str, set[str]] = {
    "_patch.py": {"_make_api_call"},
    "fastpath/call.py": {"_emit_api_params"},
    "fastpath/endpoints.py": {"_choose_signer", "_resolve_endpoint_ruleset"},
    "fastpath/lanes/scalars.py": {
        "_convert_header_value",
        "_convert_timestamp_to_str",
        "_get_base64",
        "_get_uri_and_query_string_value",
        "_handle_float",
        "_validate",
    },
    "fastpath/lanes/json_values.py": {"_convert_timestamp_to_str", "_get_base64", "_handle_float"},
    "fastpath/lanes/rpc_v2_cbor.py": {"_serialize_type_timestamp"},
    "fastpath/proof.py": {"_raw"},
    "fastpath/stock.py": {
        "_content",
        "_do_get_response",
        "_event_emitter",
        "_send_request",
        "_update_retries_context",
    },
    "fastpath/transport/asyncbody.py": {"_pool"},
    "fastpath/transport/sync.py": {"_new_conn"},
}


@dataclass(frozen=True)
class Source:
    """One file; *path* is relative to the package, with forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def part(self) -> str:
        """The folder, or the module at the top level, that the file belongs to."""
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return ".".join([PACKAGE, *self.path.split("/")[:-1]])

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{node.lineno}: {what}"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Import:
    """*module* as it would be imported; *name* is bound by it."""

    module: str
    name: str
    node: ast.AST

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


def package_sources() -> list[Source]:
    folder = ROOT / PACKAGE
    return [
        Source(file.relative_to(folder).as_posix(), file.read_text("utf-8"))
        for file in sorted(folder.rglob("*.py"))
    ]


SOURCES = package_sources()
MODULES = {source.path.removesuffix(".py").removesuffix("/__init__") for source in SOURCES}


def imports(source: Source) -> Iterator[Import]:
    """Every import of *source*, those inside functions too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, alias.asname or alias.name.split(".")[0], node)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(source, node)
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", alias.asname or alias.name, node)


def absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    above = source.package.split(".")
    parents = above[: len(above) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def part_of(module: str) -> str:
    """
    The part of the package that *module* is in; "" for a name of the package root itself.

    `from boto_accel import _compat` imports a module, `from boto_accel import accelerate` a name.
    """
    path = module.split(".")[1:]
    return path[0] if path and (path[0] in MODULES or len(path) > 1) else ""


# Imports -------------------------------------------------------------------------------------


def inner_imports(source: Source) -> Iterator[str]:
    """Imports of the package's own that *source* may not have."""
    if source.path == "__init__.py":
        return
    for each in imports(source):
        if each.top == PACKAGE and not may_import(source.part, part_of(each.module)):
            yield source.at(each.node, f"imports {each.module}")


def may_import(importer: str, imported: str) -> bool:
    if imported == importer:
        return True
    if importer in USERS:
        return imported == "" or imported in USERS | COMMON or is_shared(imported)
    return is_shared(imported)


def is_shared(part: str) -> bool:
    return part in COMMON or (part.startswith("_") and part != "__init__")


def pure_sources() -> Iterator[Source]:
    for source in SOURCES:
        folder, _, name = source.path.partition("/")
        if name in PURE.get(folder, ()):
            yield source


def impure_imports(source: Source, forbidden: frozenset[str]) -> Iterator[str]:
    for each in imports(source):
        if each.top in forbidden:
            yield source.at(each.node, f"imports {each.module}")


def imports_beyond_standard_library(source: Source) -> Iterator[str]:
    for each in imports(source):
        if each.top not in sys.stdlib_module_names | {PACKAGE}:
            yield source.at(each.node, f"imports {each.module}")


# Assignments onto botocore -------------------------------------------------------------------


def foreign_names(source: Source) -> set[str]:
    return {each.name for each in imports(source) if each.top in FOREIGN}


def foreign_assignments(source: Source) -> Iterator[str]:
    """Assignments and deletions of attributes (or items of them) of what botocore exports."""
    names = foreign_names(source)
    for node in ast.walk(source.tree):
        for target in targets_of(node):
            if isinstance(target, ast.Attribute | ast.Subscript) and root_name(target) in names:
                yield source.at(node, f"assigns {ast.unparse(target)}")


def targets_of(node: ast.AST) -> list[ast.expr]:
    """What *node* assigns to: by statement, or by setattr() and delattr()."""
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return [leaf for target in targets for leaf in unpacked(target)]
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target) | ast.For(target=target):
            return unpacked(target)
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[owner, *_]):
            return [ast.Attribute(owner, "...")]
    return []


def unpacked(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        return [leaf for element in target.elts for leaf in unpacked(element)]
    return [target]


def root_name(node: ast.expr) -> str:
    """`a` of `a.b.c["d"]`; also of `vars(a.b)["c"]` and `type(a).b`."""
    while True:
        match node:
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                node = value
            case ast.Call(args=[value, *_], func=ast.Name(id="vars" | "type" | "getattr")):
                node = value
            case ast.Name(id=name):
                return name
            case _:
                return ""


# Private attributes of botocore --------------------------------------------------------------


def foreign_privates(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """
    Private names that *source* takes from elsewhere, each with where it does.

    What an expression is cannot be known from the source: an attribute with an underscore counts
    as somebody else's unless this file defines one of that name, or, on `self`, the package does.
    """
    own = defined_privates(source) | PUBLIC_UNDERSCORES
    on_self = own | package_privates()
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                known = on_self
            case ast.Attribute(attr=name):
                known = own
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                known = own
            case _:
                continue
        if is_private(name) and name not in known:
            yield node, name
    for each in imports(source):
        if each.top in FOREIGN:
            yield from ((each.node, name) for name in each.module.split(".") if is_private(name))


def privates_outside_compat(source: Source) -> Iterator[str]:
    allowed = CALLED_OUTSIDE_COMPAT.get(source.path, frozenset())
    for node, name in foreign_privates(source):
        if name not in allowed:
            yield source.at(node, f"takes {name}")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


@cache
def package_privates() -> set[str]:
    return set().union(*map(defined_privates, SOURCES))


def defined_privates(source: Source) -> set[str]:
    """Private names that *source* makes: functions, attributes of self, names of a class body."""
    return {name for node in ast.walk(source.tree) for name in made_by(node) if is_private(name)}


def made_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
            yield name
        case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=elements)):
            yield from (each.value for each in elements if isinstance(each, ast.Constant))
        case ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)


# The rules, held -----------------------------------------------------------------------------


def broken(
    rule: Callable[[Source], Iterator[str]], *, but: frozenset[str] = frozenset()
) -> list[str]:
    return [line for source in SOURCES if source.path not in but for line in rule(source)]


def test_capabilities_know_only_themselves_and_the_common_modules() -> None:
    """A capability can be read, tested and removed alone; nobody imports the package root."""
    assert broken(inner_imports) == []


def test_every_part_of_the_package_has_a_rule() -> None:
    """A new folder or module cannot slip past this file: it is put into one of the tables first."""
    parts = {source.part for source in SOURCES}
    public = {part for part in parts if not part.startswith("_")}
    assert public <= CAPABILITIES | USERS | COMMON
    assert "fastpath" in public


def test_pure_files_do_no_io_and_read_no_clock() -> None:
    """Decisions are functions of their arguments."""
    found = [line for each in pure_sources() for line in impure_imports(each, NOT_IN_PURE)]
    assert found == []


def test_pure_files_are_where_the_table_says() -> None:
    """A pure file that is renamed stays under its rule."""
    paths = {source.path for source in SOURCES}
    folders = {source.part for source in SOURCES} & PURE.keys()
    wanted = {f"{folder}/{name}" for folder in folders for name in PURE[folder]}
    assert wanted - paths == set()


@pytest.mark.parametrize("pattern", WITHOUT_IO)
def test_compilers_and_the_http_parser_do_no_io(pattern: str) -> None:
    """They turn models into code, or bytes into events; others move the bytes."""
    sources = [source for source in SOURCES if Path(source.path).match(pattern)]
    assert sources
    assert [line for each in sources for line in impure_imports(each, NOT_WITHOUT_IO)] == []


def test_frozen_data_needs_the_standard_library_only() -> None:
    """What every layer hands around depends on nothing."""
    sources = [source for source in SOURCES if source.path in STANDARD_LIBRARY_ONLY]
    assert [line for each in sources for line in imports_beyond_standard_library(each)] == []


def test_only_the_hook_assigns_onto_botocore() -> None:
    """There is one place to look for what the package changes in other libraries."""
    assert broken(foreign_assignments, but=ASSIGNS) == []


def test_only_compat_reads_private_attributes_of_botocore() -> None:
    """There is one place to mend when a release of botocore renames something of its own."""
    assert broken(privates_outside_compat, but=READS_PRIVATES) == []


def test_what_is_not_yet_in_compat_gets_shorter() -> None:
    """A file that no longer takes a private name does not get it back."""
    taken = {source.path: {name for _, name in foreign_privates(source)} for source in SOURCES}
    stale = {path: names - taken.get(path, set()) for path, names in CALLED_OUTSIDE_COMPAT.items()}
    assert {path: names for path, names in stale.items() if names} == {}


def test_importing_the_package_imports_neither_botocore_nor_httptools() -> None:
    """Importing boto_accel costs next to nothing on top of what the program imports anyway."""
    heavy = ("botocore", "boto3", "aiobotocore", "httptools", "asyncio", "ssl")
    code = f"import sys, boto_accel; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


# The rules, broken on purpose ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("cache/patch.py", "from boto_accel.fastpath.plan import Plan"),
        ("cache/patch.py", "import boto_accel.fastpath"),
        ("cache/patch.py", "from ..fastpath import plan"),
        ("cache/patch.py", "from boto_accel import accelerate"),
        ("cache/stores/sqlite.py", "import boto_accel"),
        ("_hook.py", "from boto_accel.fastpath import patch"),
        ("_hook.py", "def f():\n    from .fastpath import patch"),
        ("bench/runner.py", "from boto_accel.fastpath import patch"),
    ],
)
def test_a_forbidden_import_is_found(path: str, line: str) -> None:
    assert len(list(inner_imports(Source(path, line)))) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("cache/patch.py", "from boto_accel.cache.key import cache_key"),
        ("cache/stores/sqlite.py", "from ..codec import encode"),
        ("fastpath/patch.py", "from boto_accel import _compat"),
        ("fastpath/patch.py", "from boto_accel._compat import Declined"),
        ("fastpath/patch.py", "from boto_accel.errors import BotoAccelError"),
        ("bench/runner.py", "from boto_accel import accelerate"),
    ],
)
def test_an_allowed_import_passes(path: str, line: str) -> None:
    assert list(inner_imports(Source(path, line))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import botocore.client\nbotocore.client.BaseClient._make_api_call = f",
        "from botocore.client import BaseClient\nBaseClient._make_api_call = f",
        "from botocore.client import BaseClient as B\nsetattr(B, name, f)",
        "from botocore.client import BaseClient\ndel BaseClient.x",
        "from botocore import auth\na, auth.b = 1, 2",
        "from botocore import auth\nauth.TABLE['v4'] = f",
        "from botocore import auth\nvars(auth)['x'] = f",
        "def f():\n    from aiobotocore import client\n    client.x += 1",
    ],
)
def test_an_assignment_onto_botocore_is_found(line: str) -> None:
    assert len(list(foreign_assignments(Source("cache/patch.py", line)))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "client._endpoint",
        "self._nowhere_in_the_package",
        "getattr(client, '_endpoint')",
        "from botocore.utils import _private",
        "import botocore._private",
    ],
)
def test_a_private_attribute_of_botocore_is_found(line: str) -> None:
    assert len(list(foreign_privates(Source("cache/patch.py", line)))) == 1


def test_an_own_private_attribute_passes() -> None:
    text = "class A:\n    def _f(self, other):\n        self._x = other._x\n        self._f()"
    assert list(foreign_privates(Source("cache/patch.py", text))) == []


def test_an_impure_import_is_found() -> None:
    text = "import time\nfrom botocore.utils import x\nimport json"
    assert len(list(impure_imports(Source("cache/key.py", text), NOT_IN_PURE))) == 2
