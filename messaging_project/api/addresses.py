"""The absolute addresses that answers give."""

from functools import lru_cache

from django.urls import get_script_prefix, reverse
from rest_framework.request import Request


def absolute(request: Request, name: str, *ids: object) -> str:
    """The address of the URL `name` with these ids, on the host and by the scheme of the request."""
    path = _template(name, len(ids), get_script_prefix()).format(*ids)
    return f"{request.scheme}://{request.get_host()}{path}"


@lru_cache
def _template(name: str, count: int, prefix: str) -> str:
    """The path with {0}, {1}, … for its ids. reverse() looks at every pattern anew, for each call."""
    path = reverse(name, args=[f"--{index}--" for index in range(count)])
    for index in range(count):
        path = path.replace(f"--{index}--", f"{{{index}}}")
    return path
