"""Django's CommonMiddleware, but for answers without a body."""

from django.http import HttpRequest, HttpResponseBase
from django.middleware import common


class CommonMiddleware(common.CommonMiddleware):
    """Gives an answer its length; but a 204 has none, and a 304's would be the whole answer's (RFC 9110, 8.6)."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        if response.status_code in (204, 304):
            del response.headers["Content-Length"]
        return response
