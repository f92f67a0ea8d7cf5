"""The project's two tables, as the peers built on Django see them."""

import uuid

from django.db import models
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce


class Campaign(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    external_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - as the project has it
    name = models.CharField(max_length=200)
    description = models.TextField(default="")
    status = models.CharField(max_length=9, default="draft")
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "campaigns_campaign"

    def __str__(self) -> str:
        return self.name


class Step(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="steps")
    position = models.BigIntegerField()
    template_id = models.CharField(max_length=255)
    template_version_id = models.CharField(max_length=255)
    delay_minutes = models.IntegerField(default=0)
    variables = models.JSONField(default=dict)
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "campaigns_campaignstep"

    def __str__(self) -> str:
        return f"step {self.position}"


def with_totals() -> QuerySet[Campaign]:
    steps, minutes = Count("steps"), Coalesce(Sum("steps__delay_minutes"), 0)
    return Campaign.objects.annotate(step_count=steps, total_delay_minutes=minutes).order_by("id")
