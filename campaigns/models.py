"""Campaigns and their steps: tables, statuses, the transition table, and what the database itself enforces."""

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Coalesce, Length, Now
from django.db.models.lookups import Exact, LessThanOrEqual
from uuid_utils.compat import uuid7

from campaigns import rules


class JSONType(Func):
    """The name of a JSON value's type: "object", "array", …"""

    output_field = models.CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_TYPEOF", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSON_TYPE", **context)


def at_most(field: str, length: int) -> Q:
    """The condition that a text has at most `length` characters; SQLite's columns don't limit it themselves."""
    return Q(LessThanOrEqual(Length(field), length))


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, 5.7): unique, and in order of creation within a process."""
    return uuid7()


def validate_name(value: object) -> None:
    _validate(rules.name, value)


def validate_description(value: object) -> None:
    _validate(rules.description, value)


def validate_opaque_id(value: object) -> None:
    _validate(rules.opaque_id, value)


def validate_integer(value: object) -> None:
    _validate(rules.integer, value)


def validate_variables(value: object) -> None:
    _validate(rules.variables, value)


def _validate(rule: rules.Rule, value: object) -> None:
    try:
        rule(value)
    except rules.RuleViolation as violation:
        raise ValidationError(
            [ValidationError(fault_text(fault), code=fault.code) for fault in violation.faults]
        ) from violation


def fault_text(fault: rules.Fault) -> str:
    """A fault as a sentence for a form, led by its place inside the value if it has one."""
    place = ".".join(str(part) for part in fault.path)
    return f"{place}: {fault.message}" if place else fault.message


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def with_totals(self) -> "CampaignQuerySet":
        """Each campaign with its `step_count` and `total_delay_minutes`, in the same query."""
        steps = CampaignStep.objects.filter(campaign_id=models.OuterRef("pk")).order_by().values("campaign_id")
        count, total = models.Count("pk"), models.Sum("delay_minutes")
        return self.annotate(
            step_count=Coalesce(models.Subquery(steps.annotate(n=count).values("n")), 0),
            total_delay_minutes=Coalesce(
                models.Subquery(steps.annotate(n=total).values("n"), output_field=models.BigIntegerField()), 0
            ),
        )


class Campaign(models.Model):
    """An ordered sequence of steps, and where it stands in its life."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        PAUSED = "paused"
        COMPLETED = "completed"
        ARCHIVED = "archived"

    TRANSITIONS: ClassVar[dict[str, tuple[str, ...]]] = {
        Status.DRAFT: (Status.ACTIVE, Status.ARCHIVED),
        Status.ACTIVE: (Status.PAUSED, Status.COMPLETED),
        Status.PAUSED: (Status.ACTIVE, Status.COMPLETED, Status.ARCHIVED),
        Status.COMPLETED: (Status.ARCHIVED,),
        Status.ARCHIVED: (),
    }
    EDITABLE: ClassVar[tuple[str, ...]] = (Status.DRAFT, Status.PAUSED)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    external_id = models.CharField(
        max_length=rules.MAX_ID_LENGTH,
        unique=True,
        null=True,
        blank=True,
        validators=[validate_opaque_id],
        help_text="Your own key for the campaign, if it has one in another system.",
        error_messages={"unique": "Another campaign has this external id."},
    )
    name = models.CharField(max_length=rules.MAX_NAME_LENGTH, validators=[validate_name])
    description = models.TextField(
        max_length=rules.MAX_DESCRIPTION_LENGTH, blank=True, default="", validators=[validate_description]
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.DRAFT, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (("activate_campaign", "Can change a campaign's status"),)
        indexes = (models.Index(fields=("status", "id"), name="campaign_status"),)
        constraints = (
            models.CheckConstraint(
                name="campaign_status_known",
                condition=Q(status__in=("draft", "active", "paused", "completed", "archived")),
                violation_error_message="A campaign is draft, active, paused, completed or archived.",
            ),
            models.CheckConstraint(
                name="campaign_name_filled",
                condition=Q(name__gt="") & at_most("name", rules.MAX_NAME_LENGTH),
                violation_error_message=f"A campaign's name has 1 to {rules.MAX_NAME_LENGTH} characters.",
            ),
            models.CheckConstraint(
                name="campaign_external_id_filled",
                condition=Q(external_id__isnull=True)
                | (Q(external_id__gt="") & at_most("external_id", rules.MAX_ID_LENGTH)),
                violation_error_message=f"An external id has 1 to {rules.MAX_ID_LENGTH} characters, or is absent.",
            ),
            models.CheckConstraint(
                name="campaign_description_length",
                condition=at_most("description", rules.MAX_DESCRIPTION_LENGTH),
                violation_error_message=f"A description has at most {rules.MAX_DESCRIPTION_LENGTH:,} characters.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Its entity tag (RFC 9110, 8.8.3) without quotes: all that the API shows of it, steps' totals included.

        Adding a step doesn't touch the campaign's row, so its version alone would miss it. Needs `with_totals()`.
        """
        totals: Any = self
        return f"{self.version}-{totals.step_count}-{totals.total_delay_minutes}"

    @property
    def is_editable(self) -> bool:
        """Whether its steps may be changed."""
        return self.status in self.EDITABLE

    @property
    def allowed_targets(self) -> tuple[str, ...]:
        """The statuses it may take next."""
        return self.TRANSITIONS[self.status]


class CampaignStep(models.Model):
    """One message of a campaign: a pinned template version, and how long after the step before it is sent."""

    # Renumbering parks steps above the API's limit for a moment: the plain unique constraint is checked row by row.
    PARKING = rules.MAX_INTEGER + 1

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The unique constraint's index starts with the campaign: another one of its own would only cost inserts.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.BigIntegerField(
        validators=[validate_integer], help_text="Steps run in ascending position, from 0; gaps are allowed."
    )
    template_id = models.CharField(max_length=rules.MAX_ID_LENGTH, validators=[validate_opaque_id])
    template_version_id = models.CharField(max_length=rules.MAX_ID_LENGTH, validators=[validate_opaque_id])
    delay_minutes = models.IntegerField(
        default=0,
        validators=[validate_integer],
        help_text="Minutes after the previous step was sent; for the first step, after the recipient entered.",
    )
    variables = models.JSONField(
        default=dict, blank=True, validators=[validate_variables], help_text="What the template is filled with."
    )
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("campaign", "position")
        indexes = (
            models.Index(fields=("template_id",), name="step_template"),
            models.Index(fields=("template_version_id",), name="step_template_version"),
        )
        constraints = (
            models.UniqueConstraint(
                name="step_position_unique",
                fields=("campaign", "position"),
                violation_error_message="This position holds another step of the campaign.",
            ),
            models.CheckConstraint(
                name="step_position_range",
                condition=Q(position__gte=0) & Q(position__lt=2 * (rules.MAX_INTEGER + 1)),
                violation_error_message=f"A position is an integer from 0 to {rules.MAX_INTEGER}.",
            ),
            models.CheckConstraint(
                name="step_delay_range",
                condition=Q(delay_minutes__gte=0) & Q(delay_minutes__lte=rules.MAX_INTEGER),
                violation_error_message=f"A delay is an integer from 0 to {rules.MAX_INTEGER} minutes.",
            ),
            models.CheckConstraint(
                name="step_template_filled",
                condition=Q(template_id__gt="")
                & at_most("template_id", rules.MAX_ID_LENGTH)
                & Q(template_version_id__gt="")
                & at_most("template_version_id", rules.MAX_ID_LENGTH),
                violation_error_message=f"Template ids have 1 to {rules.MAX_ID_LENGTH} characters.",
            ),
            models.CheckConstraint(
                name="step_variables_object",
                condition=Q(Exact(JSONType("variables"), Value("object"))),
                violation_error_message="Variables are a JSON object.",
            ),
        )

    def __str__(self) -> str:
        return f"step {self.position}"

    @property
    def etag(self) -> str:
        """Its entity tag (RFC 9110, 8.8.3) without quotes."""
        return str(self.version)

    @property
    def fields(self) -> rules.StepFields:
        return rules.StepFields(*(getattr(self, name) for name in rules.STEP_FIELDS))
