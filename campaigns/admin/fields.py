"""Form fields from the tables of `rules.py`: they judge by its rules and keep what was typed, faults included."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst

from campaigns import rules
from campaigns.admin.timeline_svg import duration
from campaigns.admin.widgets import LabelledParts, NumberInput, Textarea, TextInput
from campaigns.models import FIELDS, FieldValidator, maximum
from messaging_project.strict_json import JSONError, loads

MINUTES_PER_DAY = 24 * 60
DELAY_UNITS = ("days", "hours", "minutes")
PART = {"min": 0, "placeholder": "0", "inputmode": "numeric"}  # of a delay


class ExactTextField(forms.CharField):
    """A text exactly as it is typed: white space is part of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)


class NumberField(forms.IntegerField):
    """An integer; one that may be left out cleans to `empty_value`, as also where the page doesn't show it."""

    widget = NumberInput

    def __init__(self, *, empty_value: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.empty_value = empty_value

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        return self.empty_value if cleaned is None else cleaned

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"min": 0, "inputmode": "numeric"}


class VariablesField(forms.CharField):
    """A JSON object as text; an empty text is `{}`. A fault is reported with its line and column, or its name."""

    widget = Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "variables-text"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"strip": False, **kwargs, "required": False})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def clean(self, value: Any) -> dict[str, Any]:
        text = self.to_python(value)
        if not text or text.isspace():
            return {}
        try:
            variables: dict[str, Any] = loads(text, subject="This")
        except JSONError as error:
            raise ValidationError(str(error), code="invalid_json") from None
        self.run_validators(variables)
        return variables


class DelayWidget(LabelledParts):
    units = ("d", "h", "min")
    use_fieldset = False  # so that each part refers to the field's message

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        parts: dict[str, forms.Widget | type[forms.Widget]] = {
            unit: NumberInput({**PART, "aria-label": f"delay, {unit}"}) for unit in DELAY_UNITS
        }
        super().__init__(parts, attrs)

    def decompress(self, value: int | None) -> list[int | None]:
        if value is None:
            return [None, None, None]
        days, rest = divmod(value, MINUTES_PER_DAY)
        return [part or None for part in (days, *divmod(rest, 60))]


class DelayField(forms.MultiValueField):
    """Minutes, typed as days, hours and minutes; each may be left empty, and 90 minutes are as good as 1 hour 30."""

    widget = DelayWidget

    def __init__(self, **kwargs: Any) -> None:
        parts = [_delay_part(unit.capitalize()) for unit in DELAY_UNITS]
        help_text = capfirst(kwargs.pop("help_text", "").removeprefix("Minutes "))
        super().__init__(parts, **{**kwargs, "help_text": help_text, "required": False, "require_all_fields": False})

    def compress(self, data_list: list[int | None]) -> int:
        days, hours, minutes = (part or 0 for part in data_list or (0, 0, 0))
        return days * MINUTES_PER_DAY + hours * 60 + minutes

    def run_validators(self, value: int) -> None:
        """The rule's words are about minutes; its largest number of them is told as it is typed."""
        if value > maximum("delay_minutes"):
            raise ValidationError(f"Must be at most {duration(maximum('delay_minutes'))} in all.", code="max_value")
        super().run_validators(value)


def _delay_part(unit: str) -> forms.IntegerField:
    messages = {"invalid": f"{unit} must be a whole number.", "min_value": f"{unit} must be 0 or more."}
    return forms.IntegerField(min_value=0, required=False, error_messages=messages)


# The field of a form for each kind of rule, and for what people type in another way than programs.
BY_RULE: dict[type, type[forms.Field]] = {
    rules.Integer: NumberField,
    rules.Text: ExactTextField,
    rules.JSONObject: VariablesField,
}
BY_NAME: dict[str, type[forms.Field]] = {"delay_minutes": DelayField}


def form_field(owner: str, name: str, **options: Any) -> forms.Field:
    """The form field of a campaign's or step's field, with the label, help and rule of its row; `options` override."""
    field = FIELDS[owner][name]
    form_class = BY_NAME.get(name) or BY_RULE[type(field.rule)]
    defaults: dict[str, Any] = {
        "label": capfirst(field.label),
        "help_text": field.help,
        "required": field.is_required,
        "validators": [FieldValidator(owner, name)],
    }
    if form_class is NumberField and not field.is_required:
        defaults["empty_value"] = field.default
    return form_class(**defaults | options)


def step_fields(text_widget: type[forms.Widget] = TextInput) -> dict[str, forms.Field]:
    """A form field for each row of the table."""
    return {
        name: form_field("step", name, **({"widget": text_widget} if isinstance(field.rule, rules.Text) else {}))
        for name, field in rules.STEP_FIELDS.items()
    }
