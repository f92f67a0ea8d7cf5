"""The tables of the app, and what the database itself enforces.

The rules of fields are in rules.py, what depends on a status in statuses.py.
"""

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import Exact, LessThanOrEqual
from django.utils.deconstruct import deconstructible
from uuid_utils.compat import uuid7

from campaigns import rules, statuses
from campaigns.canonical_json import CanonicalEncoder
from campaigns.expressions import AsTotals, CurrentTime, JSONType
from campaigns.frozen import Frozen, FrozenManager
from messaging_project.comparison import ByCodePoint, ByInstant


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, 5.7): unique, and in order of creation within a process."""
    return uuid7()


# --- Columns and conditions from the tables of fields ----------------------------------------------------------------

FIELDS = {"campaign": rules.CAMPAIGN_FIELDS, "step": rules.STEP_FIELDS}


@deconstructible
class FieldValidator:
    """The rule of a field as a Django validator. Migrations name the field, and so don't repeat its limits."""

    def __init__(self, owner: str, name: str) -> None:
        self.rule = FIELDS[owner][name].rule

    def __call__(self, value: object) -> None:
        """Raises ValidationError with every fault."""
        try:
            self.rule(value)
        except rules.RuleViolation as violation:
            raise ValidationError(
                [ValidationError(fault_text(fault), code=fault.code) for fault in violation.faults]
            ) from violation


def fault_text(fault: rules.Fault) -> str:
    """A fault as a sentence for a form, led by its place inside the value if it has one."""
    place = ".".join(str(part) for part in fault.path)
    return f"{place}: {fault.message}" if place else fault.message


def column(owner: str, name: str) -> dict[str, Any]:
    """The options of a model's field, as its row in the table of fields has them."""
    field = FIELDS[owner][name]
    options: dict[str, Any] = {"help_text": field.help, "validators": [FieldValidator(owner, name)]}
    if isinstance(field.rule, rules.Text):
        options["max_length"] = field.rule.max_length
    if not field.is_required and not field.may_be_null:
        options |= {"default": field.default, "blank": field.default in ("", dict)}
    return options


def maximum(name: str) -> int:
    """The largest value of a step's integer field."""
    rule = rules.STEP_FIELDS[name].rule
    assert isinstance(rule, rules.Integer)  # noqa: S101 - tells mypy what the table says
    return rule.maximum


def fits(owner: str, name: str) -> Q:
    """The condition that a text is as long as its rule allows; SQLite's columns don't limit it themselves."""
    rule = FIELDS[owner][name].rule
    assert isinstance(rule, rules.Text)  # noqa: S101 - tells mypy what the table says
    short = Q(LessThanOrEqual(Length(name), rule.max_length))
    return short if rule.may_be_blank else Q((f"{name}__gt", "")) & short


# --- Campaigns and steps ---------------------------------------------------------------------------------------------


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def with_totals(self) -> "CampaignQuerySet":
        """Each campaign with its `totals` and the number of its latest `revision`, in the same query."""
        # One column for both: with a subquery for each of them, the database would read every step twice.
        both = AsTotals(models.Count("*"), models.Sum("delay_minutes"))
        steps = CampaignStep.objects.filter(campaign_id=models.OuterRef("pk")).order_by().values("campaign_id")
        revisions = Revision.objects.filter(campaign_id=models.OuterRef("pk")).order_by("-number").values("number")
        return self.annotate(
            totals=models.Subquery(steps.annotate(both=both).values("both")),
            revision=models.Subquery(revisions[:1]),
        )


def campaign_etag(shown: Any) -> str:
    """The entity tag of a campaign, or of a row with its version and totals."""
    return f"{shown.version}-{shown.totals.step_count}-{shown.totals.total_delay_minutes}"


def step_etag(shown: Any) -> str:
    """The entity tag of a step, or of a row with its version."""
    return str(shown.version)


class Campaign(models.Model):
    """An ordered list of steps, and where it stands in its life."""

    Status = statuses.Status
    EDITABLE: ClassVar[tuple[str, ...]] = statuses.EDITABLE

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    external_id = models.CharField(
        **column("campaign", "external_id"),
        unique=True,
        null=True,
        blank=True,
        error_messages={"unique": "Another campaign has this external id."},
    )
    name = models.CharField(**column("campaign", "name"))
    description = models.TextField(**column("campaign", "description"))
    status = models.CharField(
        max_length=max(map(len, Status.values)), choices=Status, default=Status.DRAFT, editable=False
    )
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=CurrentTime(), editable=False)
    updated_at = models.DateTimeField(db_default=CurrentTime(), editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (("activate_campaign", "Can change a campaign's status"),)
        indexes = (
            models.Index(fields=("status", "id"), name="campaign_status"),
            models.Index(ByCodePoint("name"), "id", name="campaign_by_name"),
            models.Index(ByInstant("updated_at"), "id", name="campaign_by_update"),
        )
        constraints = (
            models.CheckConstraint(
                name="campaign_status_known",
                condition=Q(status__in=tuple(statuses.Status.values)),
                violation_error_message="This is not a campaign's status.",
            ),
            models.CheckConstraint(
                name="campaign_name_filled",
                condition=fits("campaign", "name"),
                violation_error_message="A campaign's name is empty or too long.",
            ),
            models.CheckConstraint(
                name="campaign_external_id_filled",
                condition=Q(external_id__isnull=True) | fits("campaign", "external_id"),
                violation_error_message="An external id is empty or too long.",
            ),
            models.CheckConstraint(
                name="campaign_description_length",
                condition=fits("campaign", "description"),
                violation_error_message="A description is too long.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Its entity tag (RFC 9110, 8.8.3) without quotes: all that the API shows of it, steps' totals included.

        Adding a step doesn't touch the campaign's row, so its version alone would miss it. Needs `with_totals()`.
        """
        return campaign_etag(self)

    @property
    def is_editable(self) -> bool:
        """Whether its steps may be changed."""
        return self.status in self.EDITABLE

    @property
    def allowed_targets(self) -> tuple[str, ...]:
        """The statuses it may take next."""
        return statuses.STATUSES[self.status].targets


class CampaignStep(models.Model):
    """One message of a campaign: a pinned template version, and how long after the step before it is sent."""

    # Renumbering parks steps above the API's limit for a moment: the plain unique constraint is checked row by row.
    PARKING = maximum("position") + 1

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The unique constraint's index starts with the campaign; a second index would only slow inserts.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.BigIntegerField(**column("step", "position"))
    template_id = models.CharField(**column("step", "template_id"))
    template_version_id = models.CharField(**column("step", "template_version_id"))
    delay_minutes = models.IntegerField(**column("step", "delay_minutes"))
    variables = models.JSONField(**column("step", "variables"), encoder=CanonicalEncoder)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=CurrentTime(), editable=False)
    updated_at = models.DateTimeField(db_default=CurrentTime(), editable=False)

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
                condition=Q(position__gte=0) & Q(position__lt=2 * (maximum("position") + 1)),
                violation_error_message="A position is out of range.",
            ),
            models.CheckConstraint(
                name="step_delay_range",
                condition=Q(delay_minutes__gte=0) & Q(delay_minutes__lte=maximum("delay_minutes")),
                violation_error_message="A delay is out of range.",
            ),
            models.CheckConstraint(
                name="step_template_filled",
                condition=fits("step", "template_id") & fits("step", "template_version_id"),
                violation_error_message="A template id is empty or too long.",
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
        return step_etag(self)

    @property
    def fields(self) -> rules.StepFields:
        return rules.StepFields(*(getattr(self, name) for name in rules.STEP_FIELDS))


# --- History ---------------------------------------------------------------------------------------------------------


class ActorType(models.TextChoices):
    TOKEN = "token"  # noqa: S105 - a kind of actor, not a secret
    USER = "user"
    COMMAND = "command"


class Action(models.TextChoices):
    CAMPAIGN_CREATED = "campaign.created"
    CAMPAIGN_CHANGED = "campaign.changed"
    CAMPAIGN_DELETED = "campaign.deleted"
    CAMPAIGN_DUPLICATED = "campaign.duplicated"
    CAMPAIGN_ACTIVATED = "campaign.activated"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_COMPLETED = "campaign.completed"
    CAMPAIGN_ARCHIVED = "campaign.archived"
    CAMPAIGN_SEEDED = "campaign.seeded"
    STEP_ADDED = "step.added"
    STEP_CHANGED = "step.changed"
    STEP_DELETED = "step.deleted"
    STEPS_ADDED = "steps.added"
    STEPS_SHIFTED = "steps.shifted"
    STEPS_REORDERED = "steps.reordered"
    STEPS_REPLACED = "steps.replaced"


class HistoryEntry(models.Model):
    """One change, written by `history`, or a bulk load: its id and time are one instant, under the campaign's lock.

    It names campaign and step by id, without foreign keys, because it outlives them.

    `before` and `after` hold the changed fields only; a change of many steps has its counts in `after`.
    `revision` is the campaign's latest revision at a change of its status, or when it was loaded with its status.
    `seq` is an identity column on PostgreSQL, filled under the campaign's lock; 0 on SQLite, where rowids do as well.
    `number` is the entry's place in the feed of all changes, which `feed` deals out.
    """

    RIGHTS_TO_SERVE: ClassVar = ("SELECT", "INSERT", "UPDATE")  # what is old is deleted by `prune` alone
    id = models.UUIDField(primary_key=True, editable=False)
    created_at = models.DateTimeField(db_default=CurrentTime(), editable=False)
    actor_type = models.CharField(max_length=7, choices=ActorType)
    actor_issuer = models.TextField(blank=True, default="", db_default="")
    actor_id = models.TextField()
    actor_name = models.TextField()
    action = models.CharField(max_length=30, choices=Action)
    campaign_id = models.UUIDField()
    step_id = models.UUIDField(null=True)
    before = models.JSONField(null=True, encoder=CanonicalEncoder)
    after = models.JSONField(null=True, encoder=CanonicalEncoder)
    revision = models.IntegerField(null=True, editable=False)
    seq = models.BigIntegerField(db_default=0, editable=False)
    number = models.BigIntegerField(null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("campaign_id", "id"), name="history_campaign"),
            models.Index(fields=("seq",), name="history_unnumbered", condition=Q(number__isnull=True)),
        )
        constraints = (
            models.UniqueConstraint(fields=("number",), name="history_number", condition=Q(number__isnull=False)),
        )
        verbose_name_plural = "history entries"

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name}"


class Feed(models.Model):
    """The one row about the feed of changes: the highest number that was dealt out, and the highest that was pruned."""

    last = models.BigIntegerField(default=0)
    pruned = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.pruned} to {self.last}"


# --- Revisions -------------------------------------------------------------------------------------------------------


class Revision(Frozen):
    """A campaign's steps when it was activated. `digest` is SHA-256 over their contents, in order."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="revisions", db_index=False)
    number = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    step_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=CurrentTime())
    actor_type = models.CharField(max_length=7, choices=ActorType)
    actor_issuer = models.TextField(blank=True)
    actor_id = models.TextField()
    actor_name = models.TextField()

    objects = FrozenManager()

    class Meta:
        ordering = ("campaign", "-number")
        constraints = (models.UniqueConstraint(fields=("campaign", "number"), name="revision_number"),)

    def __str__(self) -> str:
        return f"revision {self.number}"


class RevisionStep(Frozen):
    """A step as it was. It has its step's id without a foreign key, because it outlives the step."""

    pk = models.CompositePrimaryKey("revision_id", "ordinal")
    # Without a constraint, which is checked row by row: that takes as long as all else of freezing.
    revision = models.ForeignKey(
        Revision, on_delete=models.PROTECT, related_name="steps", db_index=False, db_constraint=False
    )
    ordinal = models.PositiveIntegerField()
    step_id = models.UUIDField()
    template_id = models.CharField(max_length=255)
    template_version_id = models.CharField(max_length=255)
    delay_minutes = models.IntegerField()
    variables = models.JSONField(encoder=CanonicalEncoder)

    objects = FrozenManager()

    class Meta:
        ordering = ("revision", "ordinal")

    def __str__(self) -> str:
        return f"step {self.ordinal}"


# --- Bulk loading ----------------------------------------------------------------------------------------------------


class SeedCheckpoint(models.Model):
    """How far an unfinished `seed_campaigns --commit-every` has come. The row goes when the load is complete."""

    # SHA-256 over the input and the options that shape the load
    key = models.CharField(primary_key=True, max_length=64)
    run_id = models.UUIDField()
    line = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(db_default=CurrentTime())
    updated_at = models.DateTimeField(db_default=CurrentTime())

    class Meta:
        db_table = "campaigns_seedmark"

    def __str__(self) -> str:
        return f"load {self.run_id} up to line {self.line}"
