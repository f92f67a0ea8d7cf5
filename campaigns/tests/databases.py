"""Another database in the place of the one that the tests run on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.utils import load_backend


@contextmanager
def as_default(engine: str, **settings: Any) -> Iterator[None]:
    configured = connections.configure_settings({"default": {"ENGINE": engine, **settings}})["default"]
    kept, wrapper = connections["default"], load_backend(engine).DatabaseWrapper(configured, "default")
    connections["default"] = wrapper
    try:
        yield
    finally:
        wrapper.close()
        connections["default"] = kept
