"""Deleting in the admin: only by the domain's functions, and only what a page showed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from campaigns.admin.bulk import MAX_AT_ONCE, Outcome, asked, grouped, refuse_too_many, sent, versions_sent
from campaigns.admin.refusals import busy_as_refusal, staff_message
from campaigns.exceptions import CampaignsError, VersionMismatch
from campaigns.history import Actor, actor_of

CHANGED = "It was changed while you had it open, and is not deleted. Look at it again first."


@dataclass(frozen=True)
class DeletionRow:
    """A chosen object as the page that asks first shows it; `refusal` says why it will be left as it is."""

    object: Any
    page_version: str
    refusal: str


class DomainDeletion(admin.ModelAdmin):
    """An admin whose every way to delete ends in delete_shown()."""

    delete_confirmation_template = "admin/campaigns/delete_confirmation.html"

    # --- What each model says of its objects -------------------------------------------------------------------------

    def shown_version(self, obj: Any) -> str:
        """The version that a page which shows `obj` remembers."""
        raise NotImplementedError

    def shown_versions(self, objects: Iterable[Any]) -> dict[Any, str]:
        """The versions of many, by their keys."""
        return {obj.pk: self.shown_version(obj) for obj in objects}

    def name_of(self, obj: Any) -> str:
        """What a sentence calls it."""
        raise NotImplementedError

    def why_not_deletable(self, obj: Any) -> str:
        """Why it can't be deleted as it is; "" where it can."""
        raise NotImplementedError

    def delete_shown(self, obj: Any, shown: str, actor: Actor) -> None:
        """Delete it, with its entry in the history. Raises VersionMismatch where `shown` is not what is stored."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A page that was opened while it could be deleted may still be sent: its answer says why it can't be now.
        can_be = request.method == "POST" or obj is None or not self.why_not_deletable(obj)
        return can_be and super().has_delete_permission(request, obj)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        if (obj := context["original"]) is not None:
            context["show_delete"] = not self.why_not_deletable(obj)
        return super().render_change_form(request, context, *args, **options)

    # --- One ---------------------------------------------------------------------------------------------------------

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What is refused is said on the list, or on the page itself where that has to be looked at again."""
        if not request.POST and (obj := self.get_object(request, unquote(object_id))):
            # Before the page reads what it shows: one that is newer than its version is refused at worst.
            version = request.GET.get("page_version") or self.shown_version(obj)
            extra_context = {"page_version": version, **(extra_context or {})}
        try:
            with busy_as_refusal():
                response: HttpResponse = super().delete_view(request, object_id, extra_context)
                return response
        except CampaignsError as refusal:
            messages.error(request, deletion_refused(refusal))
            page = "change" if isinstance(refusal, VersionMismatch) else "changelist"
            place = (object_id,) if page == "change" else ()
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", *place)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        shown = request.POST.get("page_version") or request.GET.get("page_version", "")
        self.delete_shown(obj, shown, actor_of(request.user))

    # --- Several -----------------------------------------------------------------------------------------------------

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """All or none, as they are now: it is for actions from elsewhere, which say nothing of single objects."""
        with busy_as_refusal(), transaction.atomic():
            for obj in queryset:
                self.delete_shown(obj, self.shown_version(obj), actor_of(request.user))

    @admin.action(description="Delete selected %(verbose_name_plural)s…", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask, then delete one after the other, and say by name what was refused. In place of Django's own."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        chosen = list(queryset[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            refuse_too_many(request, queryset, MAX_AT_ONCE, str(self.opts.verbose_name_plural))
            return None
        if "post" not in request.POST:
            return self._confirmation(request, queryset, chosen)
        self._delete_each(request, chosen, versions_sent(request))
        return None

    def _confirmation(self, request: HttpRequest, queryset: QuerySet[Any], chosen: Sequence[Any]) -> HttpResponse:
        versions = self.shown_versions(chosen)
        # Read anew after the versions, so that no page shows less than its version covers.
        shown = queryset.filter(pk__in=list(versions))
        rows = [DeletionRow(obj, versions[obj.pk], self.why_not_deletable(obj)) for obj in shown]
        versions_shown = {str(row.object.pk): row.page_version for row in rows if not row.refusal}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Delete {self.opts.verbose_name_plural}",
            "rows": rows,
            "groups": grouped((row.refusal, row) for row in rows),
            **asked(versions_shown),
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/campaigns/delete_selected.html", context)

    def _delete_each(self, request: HttpRequest, chosen: Sequence[Any], versions: dict[str, str]) -> None:
        deleted, outcome, missing = [], Outcome(), set(versions)
        for obj in sent(self.get_queryset(request), chosen, versions):
            missing.discard(str(obj.pk))
            try:
                with busy_as_refusal():
                    self.delete_shown(obj, versions.get(str(obj.pk), ""), actor_of(request.user))
                deleted.append(obj)
            except CampaignsError as refusal:
                outcome.left.append(f"{self.name_of(obj)}: {deletion_refused(refusal)}")
        outcome.done, outcome.gone = len(deleted), len(missing)
        if deleted:
            self.log_deletions(request, deleted)  # type: ignore[arg-type]  # Django itself gives it a list
        outcome.say(request, "deleted", self._counted)

    def _counted(self, count: int) -> str:
        name = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        return f"{count:,} {name}"


def deletion_refused(refusal: CampaignsError) -> str:
    return CHANGED if isinstance(refusal, VersionMismatch) else staff_message(refusal)
