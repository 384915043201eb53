"""One API call, as the patches see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Flavour(Enum):
    """How the caller gets the reply, and so the kind of body in it."""

    SYNC = "sync"
    ASYNC = "async"


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call on its way through the patches.

    client: the botocore or aiobotocore client it was made on.
    operation: the name in the service model, "GetObject" and not "get_object".
    params: as the caller gave them; never changed, replaced with `dataclasses.replace`.
    flavour: ASYNC for a client of aiobotocore. The client of a replaced call has the same.
    """

    client: Any
    operation: str
    params: Mapping[str, Any]
    flavour: Flavour

    @property
    def service(self) -> str:
        """The name that the client was made with: "s3"."""
        name: str = self.client.meta.service_model.service_name
        return name
