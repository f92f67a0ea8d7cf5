"""Saving in the admin: only by the domain's functions, and what they refuse is shown on the page that asked."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from campaigns.admin.merging import OVERWRITE, Merge
from campaigns.admin.refusals import busy_as_refusal, staff_message
from campaigns.exceptions import CampaignsError, VersionMismatch
from campaigns.history import Actor, actor_of
from messaging_project.ids import parse_uuid

STAY = "_continue"  # Django's name for the button that saves and stays on the page
SHOW_AGAIN = "_show_again"  # what a page sends that was sent before, to a login in place of its answer


class DomainForm(forms.ModelForm):
    """A form that judges what was typed by the field rules; what only the database can judge comes as a refusal."""

    refusal: CampaignsError | None = None
    merge: Merge | None = None  # on a page that was sent over a newer version

    def _post_clean(self) -> None:
        """Leave the instance alone: the fields judge themselves, and the functions that save judge the rest.

        Django's hook for this has no public name: is_valid() would write into the instance and ask its constraints.
        """

    def field_of(self, refusal: CampaignsError) -> str | None:
        """The field that a refusal is about; None for the whole form."""
        return None

    def merged(self) -> "DomainForm":
        """The form of the page to be, where what was sent is older than what is stored."""
        raise NotImplementedError

    def refuse(self, refusal: CampaignsError) -> None:
        """Take a refusal in among the form's faults."""
        self.refusal = refusal
        self.add_error(self.field_of(refusal), staff_message(refusal))


class FormRefused(Exception):
    """The domain refused what a form asks for. It ends the transaction in which Django saves."""

    def __init__(self, form: DomainForm, refusal: CampaignsError) -> None:
        super().__init__(refusal)
        self.form = form
        self.refusal = refusal


class DomainSaving(admin.ModelAdmin):
    """An admin whose every save ends in save_by_domain()."""

    def save_by_domain(self, request: HttpRequest, form: Any, actor: Actor, change: bool) -> Model:
        """Write what the form says, and return what is stored. Raises CampaignsError."""
        raise NotImplementedError

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Django calls this once the form is valid, and goes on with the object that it returns."""
        try:
            with busy_as_refusal():
                return self.save_by_domain(request, form, actor_of(request.user), change)
        except CampaignsError as refusal:
            raise FormRefused(form, refusal) from refusal

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing is left to be done: save_form() has written."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Inline rows would be saved past the domain."""
        if formsets:
            raise PermissionDenied

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Save in one transaction; what is refused is rolled back, and the page is shown again as it was sent."""
        if request.method == "POST" and SHOW_AGAIN in request.POST:
            messages.warning(request, "Not saved yet. Below is what you typed: save it again.", "typed-before")
            return self.as_sent(request, object_id, form_url, request.POST)
        try:
            with busy_as_refusal():  # where the transaction itself can't begin or end
                return super().changeform_view(request, object_id, form_url, extra_context)
        except FormRefused as refused:
            form, refusal = refused.form, refused.refusal
        except CampaignsError as error:
            form, refusal = self._sent_form(request, self._stored(request, object_id), request.POST), error
        form.refuse(refusal)
        return self._shown_again(request, object_id, form, form_url)

    def as_sent(
        self, request: HttpRequest, object_id: str | None, form_url: str, data: Mapping[str, Any]
    ) -> HttpResponse:
        """The page with these data; nothing is saved."""
        obj = self._stored(request, object_id)
        if not (self.has_change_permission(request, obj) if object_id else self.has_add_permission(request)):
            raise PermissionDenied
        return self._shown_again(request, object_id, self._sent_form(request, obj, data), form_url)

    def _stored(self, request: HttpRequest, object_id: str | None) -> Any:
        """What the page shows; None on the page that adds, and for what is gone."""
        return self.get_object(request, unquote(object_id)) if object_id else None

    def _sent_form(self, request: HttpRequest, obj: Any, data: Mapping[str, Any]) -> Any:
        fields = flatten_fieldsets(self.get_fieldsets(request, obj))
        form = self.get_form(request, obj, change=obj is not None, fields=fields)(data, instance=obj)
        form.is_valid()
        return form

    def _shown_again(
        self, request: HttpRequest, object_id: str | None, form: DomainForm, form_url: str
    ) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id)) if object_id else None
        if object_id and obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{'Change' if obj else 'Add'} {self.opts.verbose_name}",
            "subtitle": str(obj) if obj else None,
            "object_id": object_id,
            "original": obj,
            "is_popup": False,
            "to_field": None,
            "inline_admin_formsets": [],
            "preserved_filters": self.get_preserved_filters(request),
            **self._with_form(request, obj, form),
        }
        return self.render_change_form(
            request, context, add=obj is None, change=obj is not None, obj=obj, form_url=form_url
        )

    def _with_form(self, request: HttpRequest, obj: Any, form: DomainForm) -> dict[str, Any]:
        fieldsets: Any = self.get_fieldsets(request, obj)
        may_change = obj is None or self.has_change_permission(request, obj)
        read_only = self.get_readonly_fields(request, obj) if may_change else flatten_fieldsets(fieldsets)
        page = helpers.AdminForm(form, list(fieldsets), {}, read_only, model_admin=self)
        return {"adminform": page, "media": self.media + page.media, "errors": helpers.AdminErrorList(form, [])}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """A page that was sent over a newer version comes back merged with it."""
        obj = context["original"]
        if obj is not None and isinstance(context["adminform"].form.refusal, VersionMismatch):
            context |= self._with_form(request, obj, context["adminform"].form.merged())
            context["leads_to"] = STAY if _stays(request) else "_save"
        self.complete(request, context, obj)
        response: HttpResponse = super().render_change_form(request, context, *args, **options)
        return response

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """A merged page leads where the save led that it was merged for."""
        if _stays(request):
            sent = request.POST.copy()
            sent[STAY] = "1"
            request.POST = sent  # type: ignore[assignment]
        return super().response_change(request, obj)

    def complete(self, request: HttpRequest, context: dict[str, Any], obj: Any) -> None:
        """Add to the page's context what its template shows beside the form."""

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """The page that adds, with what was typed on a page whose object is gone: to be copied, or saved as new.

        Django's only hook between the lookup and its redirect, which would lose what was typed.
        """
        is_saved = request.method == "POST" and request.resolver_match.url_name.endswith("_change")  # type: ignore[union-attr]
        if not is_saved or parse_uuid(unquote(object_id)) is None:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[misc, no-any-return]
        form: Any = self.get_form(request, None)(request.POST)
        form.is_valid()
        name = self.opts.verbose_name
        messages.warning(
            request,
            f"This {name} was deleted meanwhile. What you typed is below: save it as a new {name}.",
            "typed-before",
        )
        add_url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_add")
        return self._shown_again(request, None, form, add_url)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """What is refused to an action that doesn't say so itself is said on the list."""
        try:
            return super().changelist_view(request, extra_context)
        except CampaignsError as refusal:
            messages.error(request, staff_message(refusal))
            return redirect(request.get_full_path())


def _stays(request: HttpRequest) -> bool:
    return STAY in request.POST or request.POST.get(OVERWRITE) == STAY
