"""Keyset paging: `{next, previous, results}`, with `limit` and an opaque `cursor`."""

import binascii
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from rest_framework import exceptions
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from messaging_project.api.errors import validation_error

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
LIMIT_FAULT = ("limit", "invalid", f"Must be an integer from 1 to {MAX_LIMIT}.")
CURSOR_FAULT = ("cursor", "invalid", "Must be the cursor of a `next` or `previous` link, unchanged.")


class KeysetPagination(CursorPagination):
    """Pages over a unique column, the view's `ordering`. Added or deleted rows never make it skip or repeat others.

    A `limit` outside 1-1,000 is a 400, and so is a cursor that no answer gave out.
    """

    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    page_size_query_description = f"How many results a page has, 1-{MAX_LIMIT:,}; the default is {DEFAULT_LIMIT}."
    cursor_query_description = "Where the page starts, from the `next` or `previous` of another page."
    ordering = "id"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        self._model: type[Model] = queryset.model
        return (getattr(view, "ordering", self.ordering),)

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.get("limit")
        if given is None:
            return DEFAULT_LIMIT
        if given.isascii() and given.isdigit() and len(given) <= 4 and 1 <= int(given) <= MAX_LIMIT:
            return int(given)
        raise validation_error(LIMIT_FAULT)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            binascii.a2b_base64(request.query_params.get("cursor", ""), strict_mode=True)
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.offset:
                raise ValueError("offsets are for columns with ties")
            if cursor is not None and cursor.position is not None:
                field = self._model._meta.get_field(self.ordering[0].lstrip("-"))
                value = field.to_python(cursor.position)  # type: ignore[union-attr]
                field.run_validators(value)  # type: ignore[union-attr]
        except (exceptions.NotFound, ValidationError, FieldDoesNotExist, binascii.Error, ValueError) as error:
            raise validation_error(CURSOR_FAULT) from error
        return cursor

    def get_next_link(self) -> str | None:
        # If all rows of a page are deleted, DRF would continue after the row that the page should have ended before.
        if self.has_next and not self.page:
            return self.encode_cursor(Cursor(offset=0, reverse=False, position=None))
        return super().get_next_link()

    def get_previous_link(self) -> str | None:
        if self.has_previous and not self.page:
            return self.encode_cursor(Cursor(offset=0, reverse=True, position=None))
        return super().get_previous_link()

    # --- For the OpenAPI document ------------------------------------------------------------------------------------

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        return [{**it, "schema": limit} if it["name"] == self.page_size_query_param else it for it in parameters]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {
                    **link,
                    "description": "The address of the next page; null on the last one.",
                    "example": "https://messaging.example/v1/messaging/campaigns?cursor=cD0wMTk5YjNh&limit=100",
                },
                "previous": {
                    **link,
                    "description": "The address of the previous page; null on the first one.",
                    "example": None,
                },
                "results": schema,
            },
        }
