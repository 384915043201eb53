"""What goes wrong with a benchmark, apart from what the benchmarked libraries raise."""

from __future__ import annotations

from boto_accel.errors import BotoAccelError


class ServerStartError(BotoAccelError):
    """The benchmark's server did not come up; *output* is what it wrote."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output

    def __str__(self) -> str:
        return self.output or "the benchmark's server ended without a word"


class TargetUnfitError(BotoAccelError):
    """*case* cannot be run against this S3; *why* says what it lacks."""

    def __init__(self, case: str, why: str) -> None:
        super().__init__(case, why)
        self.case = case
        self.why = why

    def __str__(self) -> str:
        return f"{self.case}: {self.why}"
