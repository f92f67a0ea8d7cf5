"""Pages of large tables, without a count over all of their rows."""

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from campaigns.admin.numbers import parse_number

PAGES_AHEAD = 5


class BoundedPaginator(Paginator):
    """Counts only as far as a few pages beyond `page`, the one that is shown; `has_more` says that it stopped there.

    Everything else is as Django's Paginator takes it.
    """

    def __init__(self, queryset: QuerySet[Any], per_page: int, *args: Any, page: int, **options: Any) -> None:
        super().__init__(queryset, per_page, *args, **options)
        self.limit = (page + PAGES_AHEAD) * per_page

    def page(self, number: Any) -> Any:
        """The page's rows, found by their keys first: nothing is computed for the rows that are skipped."""
        page = super().page(number)
        rows: Any = page.object_list
        page.object_list = self.object_list.filter(pk__in=list(rows.values_list("pk", flat=True)))  # type: ignore[attr-defined]
        return page

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.limit)

    @property
    def has_more(self) -> bool:
        return self._counted > self.limit

    @cached_property
    def _counted(self) -> int:
        queryset: Any = self.object_list
        counted: int = queryset.order_by()[: self.limit + 1].count()
        return counted


class LargeTableAdmin(admin.ModelAdmin):
    """A list page that stays quick with millions of rows."""

    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    show_facets = admin.ShowFacets.NEVER

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *args: Any, **options: Any
    ) -> Any:
        return BoundedPaginator(queryset, per_page, *args, page=page_number(request), **options)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **options: Any) -> Any:
        """A page that asked first names its objects: one that a filter of the list hides by now is judged, too.

        One that asked for all that the list holds asks for all that it holds now.
        """
        if "index" not in request.POST and request.POST.get("select_across") != "1":
            queryset = self.get_queryset(request)
        try:
            return super().response_action(request, queryset, *args, **options)
        except ValidationError as error:
            raise BadRequest("What was chosen is not a list of ids.") from error


def page_number(request: HttpRequest) -> int:
    """The page that the query string of a list or of a field's suggestions asks for; page 1 if it isn't a number."""
    text = request.GET.get(PAGE_VAR) or request.GET.get(AutocompleteJsonView.page_kwarg, "")
    return parse_number(text, 7) or 1
