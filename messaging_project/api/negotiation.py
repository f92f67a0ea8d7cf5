"""Content negotiation (RFC 9110, 12), where there is something to negotiate."""

from collections.abc import Iterable

from django.http.request import MediaType
from django.utils.text import get_text_list
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ANY = "*/*"


class ContentNegotiation(DefaultContentNegotiation):
    """DRF's reads no weights, and takes a range for the type of a body. Here `q=0` refuses, and a range is no type.

    It reads no list of media types where a client takes anything, or names the first one there is.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderers = self.filter_renderers(renderers, format_suffix) if format_suffix else list(renderers)
        first = renderers[0]
        # An empty list prefers nothing, as no list does.
        if request.META.get("HTTP_ACCEPT", ANY) in ("", ANY, first.media_type):
            return first, first.media_type
        ranges = [MediaType(token) for token in self.get_accept_list(request)] or [MediaType(ANY)]
        best = max(renderers, key=lambda renderer: _preference(renderer.media_type, ranges))
        if not _preference(best.media_type, ranges)[0]:
            raise not_acceptable(*(renderer.media_type for renderer in renderers))
        return best, best.media_type


def not_acceptable(*offered: str) -> NotAcceptable:
    return NotAcceptable(f"Answers are {get_text_list([*offered])} only; change the Accept header.")


def _preference(media_type: str, ranges: list[MediaType]) -> tuple[float, int]:
    """The weight that the most specific of the ranges gives the media type, and how specific it is (RFC 9110, 12.5.1).

    The weight is 0 where none matches.
    """
    matching = [(given.specificity, given.quality) for given in ranges if given.match(media_type)]
    specificity, quality = max(matching, default=(0, 0))
    return quality, specificity
