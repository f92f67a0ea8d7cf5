"""The OpenAPI document: what drf-spectacular can't find out by itself, and how a view's operations are declared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uritemplate
from drf_spectacular import openapi
from drf_spectacular.drainage import error as report_error
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.fields import empty

from messaging_project.api import errors
from messaging_project.api.json import MAX_BODY_BYTES, JSONError, PayloadTooLarge, loads
from messaging_project.api.paging import LIMIT_FAULT
from messaging_project.api.request_id import HEADER as REQUEST_ID

EXAMPLE_REQUEST_ID = "0199b3a0-7c1e-7d52-9a57-3f0c8f6b1e02"
MEANINGS = {
    200: "OK",
    201: "Created",
    204: "Deleted",
    400: "Faulty request",
    401: "Without a valid access token",
    403: "The access token's scopes don't suffice",
    404: "Not found",
    406: "No such media type",
    409: "A request with the same key is being answered",
    412: "Bad state",
    413: "Body too large",
    415: "Not sent as JSON",
    422: "The key belongs to another request",
    500: "Server error",
    503: "Unavailable for a moment",
}
SHARED = (401, 403, 406, 413, 415, 500, 503)


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes access tokens; being defined is what registers it."""

    target_class = "messaging_project.api.tokens.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A JWT access token of the configured issuer; `manage.py issue_token` prints one locally.",
        }


class AnswerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """In an answer a field with a default is always there: `required`, and without that default."""

    target_class = "rest_framework.serializers.Serializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: openapi.AutoSchema, direction: str) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if direction == "response":
            present = {name for name, field in self.target.fields.items() if field.default is not empty}
            required = present | set(schema.get("required", ()))
            schema["required"] = [name for name in schema["properties"] if name in required]
            for name in present:
                schema["properties"][name].pop("default", None)
        return schema


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error answer, of every status."""

    error = serializers.CharField(help_text="What went wrong, for programs: one word that never changes.")
    message = serializers.CharField(help_text="What went wrong and what to do, for people.")
    details = serializers.DictField(required=False, help_text="What the error is about; its keys depend on `error`.")


def without_trailing_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """A PREPROCESSING_HOOK: each path works with and without a slash at its end, and is shown without."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints]


def share_answers(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A POSTPROCESSING_HOOK: the answers that are the same everywhere stand in the document once."""
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
    """What a reader of the document must be told of one operation.

    `refusals` are exceptions: the document shows what the view answers to each, so its examples can't go stale.
    What every operation can answer (401, 403, 406, 500, 503; 413 and 415 where there is a body) comes by itself.
    `answer` is a serializer, or one with many=True for a page of them; `example` is what it would be given to show.
    """

    tag: str
    summary: str
    description: str = ""
    parameters: Sequence[OpenApiParameter] = ()
    body: type[serializers.BaseSerializer[Any]] | None = None
    body_example: Any = None
    status: int = 200
    answer: type[serializers.BaseSerializer[Any]] | serializers.ListSerializer[Any] | None = None
    example: Any = None
    refusals: Sequence[Exception] = ()


def faults_of(serializer: type[serializers.BaseSerializer[Any]], body: Any) -> exceptions.ValidationError:
    """The refusal of a faulty `body`, as the serializer itself words it."""
    judge = serializer(data=body)
    judge.is_valid()
    return exceptions.ValidationError(judge.errors)


def header(name: str, description: str, *, on: bool | Sequence[int] = True, **options: Any) -> OpenApiParameter:
    """A header of answers, of those with the statuses `on`."""
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, required=True, description=description, response=on, **options
    )


HEADERS = (
    header(REQUEST_ID, "The request's own id, or the one that the service gave it; name it when you report a fault."),
    header("Location", "The address of what was created.", on=[201]),
    header("WWW-Authenticate", "The challenge (RFC 6750, section 3), with the reason.", on=[401, 403]),
    header("Retry-After", "Seconds to wait before trying again.", on=[409, 503]),
)
INSUFFICIENT_SCOPE = errors.APIError(
    403,
    "insufficient_scope",
    "This operation needs an access token with the scopes campaigns:write: request one that has them.",
    {"required_scopes": ["campaigns:write"]},
)


def common_refusals(operation: Operation, max_body_bytes: int) -> Iterable[Exception]:
    """What any operation, or any with pages or a body, answers beside its own refusals."""
    if isinstance(operation.answer, serializers.ListSerializer):
        yield errors.validation_error(LIMIT_FAULT)
    yield exceptions.NotAuthenticated()
    yield INSUFFICIENT_SCOPE
    yield exceptions.NotAcceptable()
    if operation.body:
        try:
            loads('{"position": 3,}')
        except JSONError as error:
            yield exceptions.ParseError(str(error))
        yield PayloadTooLarge(max_body_bytes)
        yield exceptions.UnsupportedMediaType("text/plain")
    failure = errors.server_error()
    failure.details = {"request_id": EXAMPLE_REQUEST_ID}
    yield failure
    yield errors.unavailable()


def example_name(error: dict[str, Any]) -> str:
    """A refusal's name among the examples of its status: its reason, the resource that isn't there, or its error."""
    details = error.get("details", {})
    if resource := details.get("resource"):
        return f"no_{resource}"
    return str(details.get("reason", error["error"]))


class DeclaredSchema(openapi.AutoSchema):
    """Documents a viewset by the operations declared for it: operation id → Operation.

    The view says which one it is as `operation_id`; an operation that isn't declared is an error of the generation.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = operations

    def is_excluded(self) -> bool:
        if self.view.operation_id in self.operations:
            return False
        report_error(f"no Operation is declared for the action {self.view.action}")  # type: ignore[no-untyped-call]
        return True

    @property
    def declared(self) -> Operation:
        return self.operations[self.get_operation_id()]

    def get_operation_id(self) -> str:
        operation_id: str = self.view.operation_id
        return operation_id

    def get_summary(self) -> str:
        return self.declared.summary

    def get_description(self) -> str:
        return self.declared.description

    def get_tags(self) -> list[str]:
        return [self.declared.tag]

    def get_override_parameters(self) -> list[Any]:
        # Any string is taken for an id, and one that no row could have is a 404: no pattern, whatever the URLs say.
        in_path = [
            OpenApiParameter(name, str, OpenApiParameter.PATH, description=f"The {self.resource(name)}'s id.")
            for name in sorted(uritemplate.variables(self.path))
        ]
        return [*in_path, *self.declared.parameters, *HEADERS]

    def resource(self, parameter: str) -> str:
        if parameter == self.view.lookup_url_kwarg:
            return str(self.view.queryset.model._meta.verbose_name)
        return parameter.removesuffix("_id")

    def get_request_serializer(self) -> Any:
        return OpenApiRequest(self.declared.body, examples=[OpenApiExample("example", self.declared.body_example)])

    def _get_request_body(self, direction: str = "request") -> Any:
        body = super()._get_request_body(direction) if self.declared.body else None
        return body and {**body, "required": True}  # an absent body is a 400, even where no field is required

    def _is_list_view(self, serializer: Any = None) -> bool:
        # Not drf-spectacular's guess by the action's name, which calls nothing but `list` a list.
        return isinstance(self.declared.answer if serializer is None else serializer, serializers.ListSerializer)

    def get_response_serializers(self) -> Any:
        operation = self.declared
        meaning = MEANINGS[operation.status]
        examples = [] if operation.answer is None else [OpenApiExample("example", self.shown())]
        responses = {operation.status: OpenApiResponse(operation.answer, meaning, examples)}
        refusals: dict[int, dict[str, Any]] = {}
        limit = getattr(self.view, "max_body_bytes", MAX_BODY_BYTES)
        for refusal in (*operation.refusals, *common_refusals(operation, limit)):
            status, body = self.answer_to(refusal)
            refusals.setdefault(status, {}).setdefault(example_name(body), body)
        for status, bodies in sorted(refusals.items()):
            examples = [OpenApiExample(name, body) for name, body in bodies.items()]
            meaning = MEANINGS[status]
            responses[status] = OpenApiResponse(ErrorSerializer, meaning, examples)
        return responses

    def shown(self) -> Any:
        """The example through the serializer that answers; of a page, one row."""
        answer = self.declared.answer
        serializer: Any = type(answer.child) if isinstance(answer, serializers.ListSerializer) else answer
        return serializer(self.declared.example).data

    def answer_to(self, refusal: Exception) -> tuple[int, dict[str, Any]]:
        if isinstance(refusal, errors.APIError):
            return refusal.status_code, errors.envelope(refusal.error, refusal.message, refusal.details)
        response = self.view.handle_exception(refusal)
        return response.status_code, response.data
