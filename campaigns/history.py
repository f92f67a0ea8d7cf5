"""Who changed what: one append-only table, written in the same transaction as the change it tells of."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from campaigns.models import new_id


class ActorType(models.TextChoices):
    TOKEN = "token"  # noqa: S105 - a kind of actor, not a secret
    USER = "user"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the subject of an access token, a staff user, or a management command.

    `id` is the token's subject, the user's primary key, or the command's name; `issuer` is set for tokens only;
    `name` is what a person reads.
    """

    type: ActorType
    id: str
    name: str
    issuer: str = ""


def actor_of(user: Any) -> Actor:
    """Who makes a request: the principal of an access token (`issuer`, `subject`), or a Django user."""
    if issuer := getattr(user, "issuer", ""):
        return Actor(ActorType.TOKEN, user.subject, user.subject, issuer)
    return Actor(ActorType.USER, str(user.pk), user.get_username())


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
    """One change. It names campaign and step by id, without foreign keys: it outlives what it tells of.

    `before` and `after` hold the changed fields only; a change of many steps has its counts in `after`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    actor_type = models.CharField(max_length=7, choices=ActorType)
    actor_issuer = models.TextField(blank=True, default="", db_default="")
    actor_id = models.TextField()
    actor_name = models.TextField()
    action = models.CharField(max_length=30, choices=Action)
    campaign_id = models.UUIDField()
    step_id = models.UUIDField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        app_label = "campaigns"
        ordering = ("-id",)
        indexes = (models.Index(fields=("campaign_id", "id"), name="history_campaign"),)
        verbose_name_plural = "history entries"

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name}"


def difference(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that differ, before and after, of the fields in `new`. JSON tells 1 from true, and so does this."""
    changed = [name for name in new if json.dumps(old[name], sort_keys=True) != json.dumps(new[name], sort_keys=True)]
    return {name: old[name] for name in changed}, {name: new[name] for name in changed}


def entry(
    actor: Actor,
    action: Action,
    campaign_id: UUID,
    *,
    step_id: UUID | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> HistoryEntry:
    """An unsaved entry."""
    return HistoryEntry(
        actor_type=actor.type,
        actor_issuer=actor.issuer,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        campaign_id=campaign_id,
        step_id=step_id,
        before=before,
        after=after,
    )


def record(actor: Actor, action: Action, campaign_id: UUID, **what: Any) -> None:
    """Write one entry; the caller's transaction holds the change itself. Takes what entry() takes."""
    entry(actor, action, campaign_id, **what).save(force_insert=True)
