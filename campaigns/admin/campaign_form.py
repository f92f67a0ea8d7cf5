"""The campaign page's form: the campaign's fields and all of its steps, saved together or not at all."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils.text import capfirst

from campaigns import lifecycle, rules
from campaigns.admin.fields import form_field, step_fields
from campaigns.admin.merging import OVERWRITE, Merge, Shown, with_choices
from campaigns.admin.numbers import parse_number
from campaigns.admin.page_version import PageVersion
from campaigns.admin.saving import DomainForm
from campaigns.admin.stored_steps import MAX_ON_ONE_PAGE
from campaigns.admin.widgets import CheckboxInput, HiddenInput
from campaigns.canonical_json import compact
from campaigns.exceptions import CampaignsError, ExternalIdTaken, PositionTaken, VersionMismatch
from campaigns.history import Actor
from campaigns.many_steps import DesiredStep, replace_part, replace_steps
from campaigns.models import Campaign, CampaignStep
from campaigns.parts import WHOLE, Part
from campaigns.rules import StepFields
from campaigns.steps import locked
from messaging_project.ids import parse_uuid

MAX_EDITABLE_STEPS = MAX_ON_ONE_PAGE
# Above this a page would be slow to load and to send; in the form, JSON takes up to three times as much.
MAX_EDITABLE_VARIABLES_BYTES = 2 * 1024 * 1024
MORE_ROWS = 3
STEPS = "steps"  # the formset's prefix
MAKE_ROOM = "make-room"  # the value of a button that saves: steps of other pages move down where they are in the way


class StepForm(forms.Form):
    position_is_taken = False  # by another row of the page
    position_is_held = False  # by a step of another page
    id = forms.UUIDField(required=False, widget=HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= step_fields()
        for name, field in self.fields.items():
            field.help_text = ""  # the rows don't show it
            self._name_controls(f"id_{self.prefix}-{name}", field.widget)

    def _name_controls(self, html_id: str, widget: forms.Widget) -> None:
        """Controls are called by their label and their step: one name would stand there once for each row."""
        if isinstance(widget, forms.MultiWidget):
            for index, part in enumerate(widget.widgets):
                part.attrs["aria-labelledby"] = f"{html_id}_{index} {self.prefix}-name"
        elif not widget.is_hidden:
            widget.attrs["aria-labelledby"] = f"{html_id}_label {self.prefix}-name"

    @property
    def step_name(self) -> str:
        """What the row is called, as it shows itself."""
        position, template = self["position"].value(), self["template_id"].value()
        name = "step without a position" if position in (None, "") else f"step at position {position}"
        return f"{name} ({template})" if template else name

    def has_changed(self) -> bool:
        """A new row gets its position before anything is typed: with nothing else it is no step."""
        return bool({*self.changed_data} - {"position"})

    def fields_of_step(self) -> StepFields:
        return StepFields(*(self.cleaned_data[name] for name in rules.STEP_FIELDS))


class BaseStepFormSet(BaseFormSet):
    deletion_widget = CheckboxInput

    def kept(self) -> list[StepForm]:
        """The forms that are steps to be: neither removed nor left blank."""
        return [form for form in self.forms if form.has_changed() and not form.cleaned_data.get("DELETE")]

    @property
    def by_position(self) -> list[StepForm]:
        """The forms as the page shows them; one without a position stays behind the one that it follows."""
        keys, last = [], -1
        for form in self.forms:
            typed = _position_typed(form)
            last = last if typed is None else typed
            keys.append(last)
        return [form for _, form in sorted(zip(keys, self.forms, strict=True), key=lambda pair: pair[0])]

    def clean(self) -> None:
        holders: dict[int, StepForm] = {}
        for form in self.kept():
            position = form.cleaned_data.get("position")
            if position in holders:
                holder = holders[position]["template_id"].value() or "a step without a template"
                form.position_is_taken = True
                form.add_error("position", f"{holder} has position {position} too: give one of them another.")
            elif position is not None:
                holders[position] = form

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].widget.attrs["aria-labelledby"] = f"id_{form.prefix}-DELETE_label {form.prefix}-name"

    def desired(self) -> list[DesiredStep]:
        return [DesiredStep(form.cleaned_data["id"], form.fields_of_step()) for form in self.kept()]


def _position_typed(form: StepForm) -> int | None:
    """The position that a row shows, be it right or wrong; None where it isn't a number."""
    return parse_number(str(form["position"].value()), 19)


StepFormSet: type[BaseStepFormSet] = formset_factory(
    StepForm,
    formset=BaseStepFormSet,
    extra=0,
    can_delete=True,
    max_num=MAX_EDITABLE_STEPS,
    absolute_max=MAX_EDITABLE_STEPS + 100,
    validate_max=True,
)  # type: ignore[assignment]  # the stubs drop `formset`


def too_large_to_edit(steps: Iterable[CampaignStep]) -> bool:
    """Whether the page shows the steps read-only, for the size of their variables."""
    return sum(len(compact(step.variables).encode()) for step in steps) > MAX_EDITABLE_VARIABLES_BYTES


def step_formset(steps: Iterable[CampaignStep] = ()) -> BaseStepFormSet:
    """The formset of a page that nobody has edited yet."""
    initial = [{"id": step.id, **step.fields._asdict()} for step in steps]
    return StepFormSet(prefix=STEPS, initial=initial)


def bound_steps(data: Mapping[str, Any]) -> BaseStepFormSet:
    """The formset of the rows that a page sent."""
    return StepFormSet(data, prefix=STEPS)


def with_more_rows(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a page sent, with rows at its end that have the next positions and nothing else."""
    name = f"{STEPS}-TOTAL_FORMS"
    total = parse_number(str(data.get(name, "")), 5) or 0
    typed = [parse_number(str(data.get(_position_name(row), "")), 10) for row in range(total)]
    position = max((each for each in typed if each is not None), default=-1) + 1
    added = {_position_name(total + more): str(position + more) for more in range(MORE_ROWS)}
    return {**dict(data.items()), **added, name: str(total + MORE_ROWS)}


def _position_name(row: int) -> str:
    return f"{STEPS}-{row}-position"


@dataclass(frozen=True)
class FormFault:
    """A fault of the page, and the id of the control that it is to be mended at."""

    where: str
    message: str
    control: str

    @classmethod
    def all_of(cls, form: forms.BaseForm, where: str = "") -> "list[FormFault]":
        """The faults of a form's fields."""
        found = []
        for name, errors in form.errors.items():
            if name != NON_FIELD_ERRORS:
                bound = form[name]
                control = bound.id_for_label or f"{bound.auto_id}_0"
                found += [cls(f"{where}{bound.label}", str(message), control) for message in errors]
        return found


class CampaignForm(DomainForm):
    """The campaign's own fields, and in `steps` the formset of its steps (None where they can't be edited)."""

    name = form_field("campaign", "name", widget=AdminTextInputWidget, help_text="What colleagues know it by.")
    external_id = form_field("campaign", "external_id", empty_value=None, widget=AdminTextInputWidget)
    description = form_field(
        "campaign",
        "description",
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text="What it is for, for your colleagues.",
    )
    page_version = forms.CharField(required=False, widget=forms.HiddenInput)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)  # digests of what the page shows
    page_part = forms.CharField(required=False, widget=forms.HiddenInput)  # the version of a part of the steps

    class Meta:
        model = Campaign
        fields = ("name", "external_id", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps: BaseStepFormSet | None = None
        if self.is_bound:
            if OVERWRITE in self.data:
                self.data = with_choices(self.data, self._field_of, self._stored_value)
            if f"{STEPS}-TOTAL_FORMS" in self.data:
                self.steps = bound_steps(self.data)
        elif self.is_change:
            self.initial["page_version"] = str(PageVersion.current(self.instance.pk, self.instance.version))

    def show_steps(self, steps: Collection[CampaignStep], part: Part = WHOLE) -> None:
        """Tell the page which steps it shows; after page_version was read."""
        self.initial["shown"] = str(Shown.of(self._stored_fields(), steps))
        if part != WHOLE:
            version = PageVersion.parse(self.initial["page_version"])
            self.initial["page_part"] = str(version.of_part(part, steps))

    @property
    def is_change(self) -> bool:
        return not self.instance._state.adding

    def is_valid(self) -> bool:
        steps_are_valid = self.steps is None or self.steps.is_valid()
        return super().is_valid() and steps_are_valid

    def clean_description(self) -> str:
        """Browsers send line breaks as CRLF; what is stored keeps its own where nothing else was changed."""
        text: str = self.cleaned_data["description"].replace("\r\n", "\n")
        stored = self.instance.description
        return stored if stored.replace("\r\n", "\n") == text else text

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.is_change and not self._held.is_current(self.instance.pk, self.instance.version):
            self.refuse(VersionMismatch(""))
        return cleaned

    @property
    def _held(self) -> PageVersion:
        """The version that the page holds, or the one that it was merged with, where that is to be saved over."""
        name = "overwrite" if OVERWRITE in self.data else "page_part" if self.data.get("page_part") else "page_version"
        return PageVersion.parse(self.data.get(name, ""), self._row_ids)

    @property
    def part(self) -> Part:
        """The part of the campaign's steps that the page shows."""
        return PageVersion.parse(self.data.get("page_part", ""), self._row_ids).part

    @property
    def _row_ids(self) -> frozenset[UUID]:
        rows = self.steps.forms if self.steps is not None else []
        return frozenset(filter(None, (parse_uuid(str(row["id"].value() or "")) for row in rows)))

    def refuse(self, refusal: CampaignsError) -> None:
        if not isinstance(refusal, PositionTaken):
            super().refuse(refusal)
            return
        self.refusal = refusal
        holder = CampaignStep.objects.filter(pk=refusal.step_id).values_list("template_id", flat=True).first()
        for row in self.steps.kept() if self.steps is not None else []:
            if row.cleaned_data["position"] == refusal.position:
                row.position_is_held = True
                row.add_error("position", f"{holder}, on another page, has position {refusal.position}.")

    def field_of(self, refusal: CampaignsError) -> str | None:
        return "external_id" if isinstance(refusal, ExternalIdTaken) else None

    @property
    def faults(self) -> list[FormFault]:
        """The faults of fields and rows, in the order in which the page shows them."""
        kept = self.steps.kept() if self.steps is not None and self.steps.is_bound else []
        rows = [form for form in self.steps.by_position if form in kept] if self.steps is not None else []
        found = [fault for row in rows for fault in FormFault.all_of(row, f"{capfirst(row.step_name)}: ")]
        return FormFault.all_of(self) + found

    # --- Merging -----------------------------------------------------------------------------------------------------

    def merged(self) -> "CampaignForm":
        campaign, part, rows = self.instance, self.part, self.steps.forms if self.steps is not None else []
        added = part.steps(campaign.pk).exclude(pk__in=self._row_ids).count() if rows else 0
        has_outgrown = added + len(rows) > MAX_EDITABLE_STEPS
        if has_outgrown:  # what others added is on other pages then
            part = Part(0, 0, self._row_ids)
        overwrite = str(PageVersion.current(campaign.pk, campaign.version, part))
        stored = {str(step.pk): step for step in part.steps(campaign.pk)}
        merge = Merge.of_page(self.data)
        data = merge.data
        data |= merge.fields(self, self._stored_fields(), merge.shown.fields)
        if rows:
            others = campaign.steps.exclude(pk__in=list(stored)).values_list("position", flat=True)
            merge.steps(self.steps, stored, set(map(str, others)))
        if has_outgrown:
            held = PageVersion.parse(self.data.get("page_version", ""))
            data["page_part"] = str(replace(held, part=part))
            merge.taken.append(f"{added} step{'' if added == 1 else 's'}, on other pages now")
        data |= {"merged_with": str(Shown.of(self._stored_fields(), stored.values())), "overwrite": overwrite}
        form = type(self)(data, instance=campaign)
        form.is_valid()
        form.merge = merge
        return form

    def _stored_fields(self) -> dict[str, Any]:
        return {name: getattr(self.instance, name) for name in rules.CAMPAIGN_FIELDS}

    def _field_of(self, name: str) -> forms.Field | None:
        return self.fields.get(name) or step_fields().get(name.rpartition("-")[2])

    def _stored_value(self, name: str) -> Any:
        prefix, _, step_field = name.rpartition("-")
        if not prefix:
            return self._stored_fields()[name]
        step = self.instance.steps.filter(pk=parse_uuid(self.data.get(f"{prefix}-id", ""))).first()
        if step is None:
            raise KeyError(name)
        return step.fields._asdict()[step_field]

    # --- Saving ------------------------------------------------------------------------------------------------------

    def create(self, actor: Actor) -> Campaign:
        """Raises ExternalIdTaken."""
        steps = [step.fields for step in self.steps.desired()] if self.steps else []
        return lifecycle.create_campaign(**self._campaign_fields(), steps=steps, actor=actor)

    def change(self, actor: Actor) -> Campaign:
        """Save over the version that the page holds, or over the one that it was merged with.

        Raises VersionMismatch where another is stored, and whatever change_campaign(), replace_steps() and
        replace_part() raise.
        """
        campaign_id, held = self.instance.pk, self._held
        with locked(campaign_id) as campaign:
            held.match(campaign_id, campaign.version)
            changed = lifecycle.change_campaign(campaign_id, self._campaign_fields(), actor=actor)
            if self.steps is not None and held.part == WHOLE:
                replace_steps(campaign_id, self.steps.desired(), actor=actor, tell_each=True)
            elif self.steps is not None:
                shift = self.data.get("_continue") == MAKE_ROOM
                replace_part(campaign_id, held.part, self.steps.desired(), actor=actor, shift=shift)
        return changed

    def _campaign_fields(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in rules.CAMPAIGN_FIELDS}
