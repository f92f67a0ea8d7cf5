"""The OpenAPI document: what drf-spectacular can't find out itself, and how a view's operations are declared."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uritemplate
from drf_spectacular import openapi
from drf_spectacular.drainage import error as report_error
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.fields import empty

from messaging_project.api import errors, idempotency
from messaging_project.api.json import MEDIA_TYPE, PayloadTooLarge, render
from messaging_project.api.negotiation import not_acceptable
from messaging_project.api.paging import LIMIT_FAULT, KeysetPagination
from messaging_project.api.query_parameters import QuerySerializer, unknown_name
from messaging_project.api.request_id import HEADER as REQUEST_ID
from messaging_project.api.throttle_settings import Rate
from messaging_project.api.throttles import throttled
from messaging_project.strict_json import JSONError, loads

EXAMPLE_ID = "0199b3a0-5f0e-7a31-8c64-1d2f7b9e4a10"  # in paths
EXAMPLE_REQUEST_ID = "0199b3a0-7c1e-7d52-9a57-3f0c8f6b1e02"
MEANINGS = {
    200: "OK",
    201: "Created",
    204: "Deleted",
    304: "Not modified",
    400: "Faulty request",
    401: "No valid access token",
    403: "The access token's scopes don't suffice",
    404: "Not found",
    406: "Not acceptable",
    409: "A request with the same key is in progress",
    410: "Gone",
    412: "Bad state",
    413: "Body too large",
    415: "The body is not sent as JSON",
    422: "The key belongs to another request",
    429: "Called too often",
    500: "Server error",
    503: "Temporarily unavailable",
}
SHARED = (401, 403, 406, 409, 413, 415, 422, 429, 500, 503)


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes access tokens. Defining this class registers it."""

    target_class = "messaging_project.api.tokens.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A JWT access token of the configured issuer; `manage.py issue_token` prints one locally.",
        }


class DefaultsSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """What a field's default means. In an answer the field is always present; in a PATCH an absent one is unchanged."""

    target_class = "rest_framework.serializers.Serializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: openapi.AutoSchema, direction: str) -> Any:
        # As drf-spectacular's own extensions do: what it would map without this one has no public way.
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        fields = self.target.fields
        properties = schema.get("properties", {})
        if direction == "response":
            required = {name for name, field in fields.items() if field.default is not empty}.union(
                schema.pop("required", ())
            )
            if required:  # OpenAPI 3.0 allows no empty list
                schema["required"] = [name for name in properties if name in required]
        if direction == "response" or self.target.partial:
            for shown in properties.values():
                shown.pop("default", None)
        return schema


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error answer, of every status."""

    error = serializers.CharField(help_text="What went wrong, for programs: one word that never changes.")
    message = serializers.CharField(help_text="What went wrong and what to do about it, for people.")
    details = serializers.DictField(required=False, help_text="What the error is about; its keys depend on `error`.")


def without_trailing_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """A PREPROCESSING_HOOK. Each path works with and without a trailing slash, and is shown without."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints]


def share_answers(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A POSTPROCESSING_HOOK. Answers that are the same everywhere appear in the document once."""
    shared = result["components"].setdefault("responses", {})
    for methods in result["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) in SHARED and shared.setdefault(f"Error{status}", answer) == answer:
                    operation["responses"][status] = {"$ref": f"#/components/responses/Error{status}"}
    return result


# --- Declaring operations --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the document says about one operation.

    `refusals` are exceptions: the document shows what the view answers to each, so its examples can't go stale.
    What every operation can answer (401, 403, 406, 500, 503; 413 and 415 where there is a body) comes by itself.
    `answer` is a serializer, or one with many=True for a page of them; `example` is what it would be given to show.
    `has_plain_errors` keeps its errors to the shape that all share, whatever the view's schema has for their statuses.
    `has_etag`: the answer has an ETag; `if_match` says whose ETag the header of that name takes, if it is taken.
    `headers` are those that its answers have beside what all operations of its kind have.
    """

    tag: str
    summary: str
    description: str = ""
    body_example: Any = None
    status: int = 200
    answer: type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any] | None = None
    example: Any = None
    has_etag: bool = False
    if_match: str = ""
    headers: Sequence[OpenApiParameter] = ()
    refusals: Sequence[Exception] = ()
    has_plain_errors: bool = False


def faults_of(serializer: type[serializers.Serializer[Any]], body: Any) -> exceptions.ValidationError:
    """The refusal of a faulty `body`, in the serializer's own words."""
    judge = serializer(data=body)
    judge.is_valid()
    return exceptions.ValidationError(dict(judge.errors))


def request_header(name: str, description: str, pattern: str = "") -> OpenApiParameter:
    schema = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


def header(
    name: str, description: str, on: bool | Sequence[int] = True, *, always: bool = True, type: type = str
) -> OpenApiParameter:
    """A header of the answers with the statuses `on`. Unless `always`, only some of them have it."""
    return OpenApiParameter(name, type, OpenApiParameter.HEADER, always, description, response=on)


def if_match(whose: str) -> OpenApiParameter:
    return request_header("If-Match", f"The call is refused unless this is the current ETag of {whose}.")


IDEMPOTENCY_KEY = request_header(
    idempotency.HEADER,
    "Makes the call safe to repeat: within 24 hours, the same key with the same request gives the first success again. "
    "1 to 255 visible ASCII characters, preferably a UUID, with or without double quotes around it.",
    idempotency.KEY_PATTERN,
)

IF_NONE_MATCH = request_header(
    "If-None-Match", "The ETag that you have. The answer is 304 while it is the current one."
)
PREFER = request_header(
    "Prefer", "`handling=strict` (RFC 7240) makes unknown properties and parameters a 400 instead of ignoring them."
)
REQUEST_HEADERS: Sequence[tuple[OpenApiParameter, Callable[[str, Operation], bool]]] = (
    (IDEMPOTENCY_KEY, lambda method, operation: method == "POST"),
    (IF_NONE_MATCH, lambda method, operation: method == "GET" and operation.has_etag),
    (PREFER, lambda method, operation: True),
)
# 401 and others are judged before anybody looks at a preference.
AFTERWARDS = [status for status in MEANINGS if status not in (401, 403, 406, 413, 415, 429)]
HEADERS = (
    header(
        REQUEST_ID,
        "The id that the request came with, or the one that the service gave it. Quote it when you report a problem.",
    ),
    header("Location", "The address of what was created.", [201]),
    header("WWW-Authenticate", "The challenge (RFC 6750, section 3), with the reason.", [401, 403]),
    header("Retry-After", "Seconds to wait before trying again.", [409, 429, 503], type=int),
    header("RateLimit", "Calls left, and seconds until the next window; where a limit is configured.", always=False),
    header("RateLimit-Policy", "The limit, and its window in seconds; where one is configured.", always=False),
    header("Preference-Applied", "The preference that was honoured.", AFTERWARDS, always=False),
    header("Accept-Encoding", "`identity`, where the body has a Content-Encoding.", [415], always=False),
)
UNKNOWN_PARAMETER = "page"  # refused with `handling=strict`
INSUFFICIENT_SCOPE = errors.APIError(
    403,
    "insufficient_scope",
    "This operation needs an access token with the scopes campaigns:write: request one that has them.",
    {"required_scopes": ["campaigns:write"]},
)


def common_refusals(method: str, operation: Operation, parameters: Iterable[str]) -> Iterable[Exception]:
    """What any operation of its kind, with these query parameters, answers beside its own refusals."""
    if isinstance(operation.answer, serializers.ListSerializer):
        yield errors.validation_error(LIMIT_FAULT)
    message = unknown_name(UNKNOWN_PARAMETER, parameters, "parameter")
    yield errors.validation_error((UNKNOWN_PARAMETER, "unknown", str(message)))
    yield exceptions.NotAuthenticated()
    yield INSUFFICIENT_SCOPE
    yield not_acceptable(MEDIA_TYPE)
    if method == "POST":
        yield errors.validation_error(idempotency.KEY_FAULT)
        yield idempotency.in_progress()
        yield idempotency.mismatch()
    failure = errors.server_error()
    failure.details = {"request_id": EXAMPLE_REQUEST_ID}
    yield throttled("addStep", Rate(50, "second"), 1)
    yield failure
    yield errors.unavailable()


def body_refusals(max_bytes: int, remedy: str) -> Iterable[Exception]:
    """What any operation with a body answers to one that it can't read."""
    try:
        loads('{"position": 3,}', subject="The body")
    except JSONError as error:
        yield exceptions.ParseError(str(error))
    yield PayloadTooLarge(max_bytes, remedy)
    yield exceptions.UnsupportedMediaType("text/plain")


def example_name(error: dict[str, Any]) -> str:
    """A refusal's name among its status's examples: the missing resource, the only fault, the reason, or the error."""
    match error.get("details"):
        case {"resource": resource}:
            return f"no_{resource}"
        case {"errors": [{"field": field, "code": code}]}:
            return f"{code}_{field}"
        case {"reason": reason}:
            return str(reason)
        case _:
            return str(error["error"])


class DeclaredSchema(openapi.AutoSchema):
    """Documents a viewset by its declared operations: operation id → Operation.

    The view says which one it is as `operation_id`; an operation that isn't declared is an error of the generation.
    What its actions take is what it reads it with: `body_serializers`, `optional_bodies` and `query_serializers`.
    `path_parameters` has a sentence for each variable in the paths, `error_shapes` a serializer for each status whose
    errors have a shape of their own.
    """

    view: Any  # a viewset; its stubs say APIView

    def __init__(
        self,
        operations: Mapping[str, Operation],
        path_parameters: Mapping[str, str],
        error_shapes: Mapping[int, type[serializers.Serializer[Any]]],
    ) -> None:
        super().__init__()
        self.error_shapes = error_shapes
        self.operations = operations
        self.path_parameters = path_parameters

    def is_excluded(self) -> bool:
        if self.view.operation_id in self.operations:
            return False
        report_error(f"no Operation is declared for the action {self.view.action}")
        return True

    @property
    def declared(self) -> Operation:
        return self.operations[self.get_operation_id()]

    def get_operation_id(self) -> str:
        operation_id: str = self.view.operation_id
        return operation_id

    def get_summary(self) -> str:
        return self.declared.summary

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        return self.declared.description

    def get_tags(self) -> list[str]:
        return [self.declared.tag]

    def get_override_parameters(self) -> list[Any]:
        # No pattern, whatever the URLs say: any string is accepted as an id, and an impossible one is a 404.
        in_path = [
            OpenApiParameter(name, str, OpenApiParameter.PATH, description=self.path_parameters[name])
            for name in sorted(uritemplate.variables(self.path))
        ]
        operation = self.declared
        taken = [header for header, applies in REQUEST_HEADERS if applies(self.method, operation)]
        if operation.if_match:
            taken.append(if_match(operation.if_match))
        in_query = [self.query_serializer] if self.query_serializer().fields else []
        return [*in_path, *in_query, *taken, *HEADERS, *self.headers_of_success()]

    @property
    def query_serializer(self) -> type[QuerySerializer]:
        found: type[QuerySerializer] = self.view.query_serializers.get(self.view.action, QuerySerializer)
        return found

    def headers_of_success(self) -> Iterable[OpenApiParameter]:
        operation = self.declared
        if operation.has_etag:
            yield header("ETag", "The version of what is shown (RFC 9110, 8.8.3).", [operation.status, 304])
        if self.method == "POST":
            yield header("Idempotent-Replayed", "`true` on a success given again.", [operation.status], always=False)
        yield from operation.headers

    def get_request_serializer(self) -> Any:
        body = self.view.body_serializers.get(self.view.action)
        if body is None:
            return None
        return OpenApiRequest(body, examples=[OpenApiExample("example", self.declared.body_example)])

    def _get_request_body(self, direction: str = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # An absent body is a 400 unless it is declared otherwise, even where no field is required.
        return body and {**body, "required": self.view.action not in self.view.optional_bodies}

    def _is_list_view(self, serializer: Any = None) -> bool:
        # drf-spectacular guesses by the action's name, and takes only `list` for a list.
        return isinstance(self.declared.answer if serializer is None else serializer, serializers.ListSerializer)

    def _get_paginator(self) -> KeysetPagination | None:
        paginator: KeysetPagination | None = super()._get_paginator()  # type: ignore[no-untyped-call]
        if paginator:
            paginator.path = re.sub(r"\{\w+\}", EXAMPLE_ID, self.path)
        return paginator

    def get_response_serializers(self) -> Any:
        operation = self.declared
        examples = [] if operation.answer is None else [OpenApiExample("example", self.shown())]
        responses = {operation.status: OpenApiResponse(operation.answer, MEANINGS[operation.status], examples)}
        if self.method == "GET" and operation.has_etag:
            responses[304] = OpenApiResponse(None, MEANINGS[304])
        for status, bodies in sorted(self.refused().items()):
            examples = [OpenApiExample(name, body) for name, body in bodies.items()]
            shape = ErrorSerializer if operation.has_plain_errors else self.error_shapes.get(status, ErrorSerializer)
            responses[status] = OpenApiResponse(shape, MEANINGS[status], examples)
        return responses

    def refused(self) -> dict[int, dict[str, Any]]:
        """The bodies of all refusals, by status and name."""
        refused: dict[int, dict[str, Any]] = {}
        common = common_refusals(self.method, self.declared, self.query_serializer().fields)
        if self.view.action in self.view.body_serializers:
            common = (*common, *body_refusals(self.view.max_body_bytes, self.view.remedy_for_size))
        for refusal in (*self.declared.refusals, *common):
            status, body = self.answer_to(refusal)
            refused.setdefault(status, {}).setdefault(example_name(body), body)
        return refused

    def shown(self) -> Any:
        """The example as the answer's serializer shows it; for a page, one row."""
        answer = self.declared.answer
        serializer: Any = type(answer.child) if isinstance(answer, serializers.ListSerializer) else answer
        return json.loads(render(serializer(self.declared.example).data))

    def answer_to(self, refusal: Exception) -> tuple[int, dict[str, Any]]:
        if isinstance(refusal, errors.APIError):
            return refusal.status_code, errors.envelope(refusal.error, refusal.message, refusal.details)
        response = self.view.handle_exception(refusal)
        return response.status_code, response.data
