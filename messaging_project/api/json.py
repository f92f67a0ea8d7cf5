"""JSON in and out: a strict parser of bodies, and a fast renderer."""

import json
from typing import IO, Any

import orjson
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from messaging_project.api.negotiation import ContentNegotiation
from messaging_project.field_paths import echoed
from messaging_project.strict_json import JSONError, StoredJSON, loads, read_float, written_out

MEDIA_TYPE = "application/json"
MEBIBYTE = 1024 * 1024
MAX_BODY_BYTES = MEBIBYTE  # for one object; a view can set its own max_body_bytes
MAX_BATCH_BYTES = 8 * MEBIBYTE  # for many
LENGTH_UNKNOWN = "messaging_project.length_unknown"  # in a WSGI environ whose CONTENT_LENGTH is only a bound
NO_BODY: dict[str, Any] = {}  # as DRF reads an absent body; its identity tells it from "{}"
WRITTEN_OUT = "With its numbers written out in full (1e300 takes 301 digits)"


def render(data: Any) -> bytes:
    """`data` as compact UTF-8 JSON."""
    try:
        return orjson.dumps(data, default=_fast_default, option=orjson.OPT_UTC_Z)
    except TypeError:  # integers beyond 64 bits, or text with half of a surrogate pair: only that is escaped
        text = json.dumps(data, cls=_Encoder, separators=(",", ":"), ensure_ascii=False)
        return text.encode(errors="backslashreplace")


class _Encoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        return json.loads(obj.text) if isinstance(obj, StoredJSON) else super().default(obj)


_ENCODER = _Encoder()


def _fast_default(obj: Any) -> Any:
    return orjson.Fragment(obj.text) if isinstance(obj, StoredJSON) else _ENCODER.default(obj)


class JSONRenderer(BaseRenderer):
    media_type = MEDIA_TYPE
    format = "json"
    charset = None  # RFC 8259, section 11: the media type has no charset parameter

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else render(data)


class JSONParser(BaseParser):
    """Reads at most the view's `max_body_bytes` (413 beyond that, before parsing), as UTF-8 JSON (400 otherwise).

    Numbers count as they are written out in full: what is stored and read again is no longer than the limit. The view's
    `remedy_for_size` says how to send more.
    """

    media_type = MEDIA_TYPE

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        view = (parser_context or {}).get("view")
        if (coding := _content_coding(parser_context)) != "identity":
            raise EncodedBody(coding)
        limit = getattr(view, "max_body_bytes", MAX_BODY_BYTES)
        announced = _announced(parser_context)
        # Who expects a 100 has sent nothing yet. Others would lose the answer, if it came while they send.
        body = b"" if announced > limit and _expects_continue(parser_context) else stream.read(limit + 1)
        if max(len(body), announced) > limit:
            raise PayloadTooLarge(limit, getattr(view, "remedy_for_size", ""))
        if len(body) < announced:
            raise exceptions.ParseError("The body is shorter than its Content-Length.")
        if not body:
            return NO_BODY
        try:
            return loads(body.decode(), subject="The body", parse_float=WrittenOut(len(body), limit))
        except UnicodeDecodeError as error:
            raise exceptions.ParseError(f"The body is not UTF-8: byte {error.start} is wrong.") from None
        except JSONError as error:
            raise exceptions.ParseError(str(error)) from None


class WrittenOut:
    """Parses the floats of a body, and raises PayloadTooLarge where they would make it too long written out in full."""

    def __init__(self, length: int, limit: int) -> None:
        self._length, self._limit = length, limit

    def __call__(self, text: str) -> float:
        number = read_float(text)
        if "e" in text or "E" in text:
            self._length += max(len(written_out(number)) - len(text), 0)
        if self._length > self._limit:
            raise PayloadTooLarge(self._limit, what=f"{WRITTEN_OUT}, the body")
        return number


def _announced(parser_context: Any) -> int:
    """The request's Content-Length. If a client goes away, the server passes on what came, which may be valid JSON."""
    request = (parser_context or {}).get("request")
    if request is None or LENGTH_UNKNOWN in request.META:
        return 0
    return int(request.META.get("CONTENT_LENGTH") or 0)


def _expects_continue(parser_context: Any) -> bool:
    """Whether the client waits for a 100 before it sends the body (RFC 9110, 10.1.1)."""
    return bool(parser_context["request"].META.get("HTTP_EXPECT"))


def _content_coding(parser_context: Any) -> str:
    request = (parser_context or {}).get("request")
    given: str = request.META.get("HTTP_CONTENT_ENCODING", "") if request is not None else ""
    return given.strip().lower() or "identity"


class PayloadTooLarge(exceptions.APIException):
    status_code = 413

    def __init__(self, limit: int, remedy: str = "", *, what: str = "The body") -> None:
        super().__init__(f"{what} is larger than {limit:,} bytes. {remedy}".rstrip(), "payload_too_large")


class EncodedBody(exceptions.APIException):
    """A body with a content coding (RFC 9110, 8.4). None is supported."""

    status_code = 415

    def __init__(self, coding: str) -> None:
        message = f"Send the body as it is, without Content-Encoding: {echoed(coding)} isn't taken."
        super().__init__(message, "unsupported_media_type")


def json_body(request: Request, *, optional: bool = False) -> Any:
    """The body of a request. DRF treats an absent body as an empty object; unless `optional`, here it is a fault."""
    _require_readable_length(request)
    if request.stream is not None:
        if request.data is not NO_BODY:
            return request.data
        if optional and request.META.get("HTTP_TRANSFER_ENCODING"):  # the server tells no empty one from a broken one
            message = "The chunked body is empty, or broke off: send {} or Content-Length: 0 for none."
            raise exceptions.ParseError(message)
    elif not optional and ContentNegotiation().select_parser(request, [JSONParser()]) is None:
        raise exceptions.UnsupportedMediaType(request.content_type)
    if optional:
        return NO_BODY
    raise exceptions.ParseError("The body is empty: send a JSON object.")


def _require_readable_length(request: Request) -> None:
    """Refuses a body whose end the server doesn't tell, which would count as none, or whose coding it doesn't undo."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise exceptions.ParseError("Content-Length must be a number of bytes.")
    coding = request.META.get("HTTP_TRANSFER_ENCODING")
    if coding and LENGTH_UNKNOWN not in request.META:
        raise exceptions.ParseError("This server doesn't take Transfer-Encoding: send the body with a Content-Length.")
    if coding and coding.strip().lower() != "chunked":  # the server undoes no other, and only one
        raise exceptions.ParseError("Transfer-Encoding must be chunked, once and alone, or absent.")
