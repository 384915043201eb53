"""
The service models that botocore brings along, without the developer's own.

A loader keeps all that it has read, and all models take half a GB: those who go through all of them
read each with `read_model()`, and let go of it.
"""

from __future__ import annotations

from botocore.loaders import Loader
from botocore.model import ServiceModel


def service_names() -> list[str]:
    return sorted(_loader().list_available_services("service-2"))


def read_model(service: str) -> ServiceModel:
    """Read anew each time."""
    return ServiceModel(_loader().load_service_model(service, "service-2"), service)


def _loader() -> Loader:
    loader = Loader(include_default_search_paths=False)
    loader.search_paths.append(Loader.BUILTIN_DATA_PATH)
    return loader
