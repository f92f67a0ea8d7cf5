"""What the API's lists read: rows of plain values, from queries that are compiled once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from campaigns.models import Campaign, CampaignStep, HistoryEntry, Revision
from campaigns.revisions import HEAD_COLUMNS
from campaigns.rules import CAMPAIGN_FIELDS
from campaigns.versions import STEP_COLUMNS
from messaging_project.api.paging import Listing
from messaging_project.comparison import any_case
from messaging_project.ids import parse_uuid

LOOKUPS = {
    "id": "pk__in",
    "status": "status__in",
    "external_id": "external_id__in",
    "created_from": "created_at__gte",
    "created_before": "created_at__lt",
    "search": "name__regex",
}
OF_STEPS = {"template_id": "template_id__in", "template_version_id": "template_version_id__in"}
CAMPAIGN_COLUMNS = ("id", *CAMPAIGN_FIELDS, "status", "version", "created_at", "updated_at")
OF_FEED = ("seq", "number")
HISTORY_COLUMNS = tuple(field.attname for field in HistoryEntry._meta.concrete_fields if field.attname not in OF_FEED)


def campaign_listing(chosen: Mapping[str, Any]) -> Listing:
    """The campaigns that match every parameter of the query, with their totals."""
    given = {name: value for name, value in chosen.items() if name in LOOKUPS or name in OF_STEPS}
    if "id" in given:
        given["id"] = [found for text in given["id"] if (found := parse_uuid(text))]
    if "search" in given:
        given["search"] = any_case(given["search"])
    return Listing(Campaign, _matching, (given,), is_prepared=not given)


def _matching(given: Mapping[str, Any]) -> QuerySet[Campaign, Any]:
    campaigns = Campaign.objects.with_totals().filter(
        **{LOOKUPS[name]: given[name] for name in LOOKUPS if name in given}
    )
    templates = {OF_STEPS[name]: given[name] for name in OF_STEPS if name in given}
    if templates:  # both together mean one step that has both
        campaigns = campaigns.filter(Exists(CampaignStep.objects.filter(campaign_id=OuterRef("pk"), **templates)))
    return campaigns.values_list(*CAMPAIGN_COLUMNS, "totals", "revision")


def step_listing(campaign_id: UUID) -> Listing:
    """The steps of a campaign."""
    return Listing(CampaignStep, _steps, (campaign_id,))


def _steps(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).values_list(*STEP_COLUMNS)


def history_listing(campaign_id: UUID) -> Listing:
    """What the history tells of a campaign."""
    return Listing(HistoryEntry, _entries, (campaign_id,))


def _entries(campaign_id: UUID) -> QuerySet[HistoryEntry, Any]:
    return HistoryEntry.objects.filter(campaign_id=campaign_id).values_list(*HISTORY_COLUMNS)


def revision_listing(campaign_id: UUID) -> Listing:
    """The revisions of a campaign, without their steps."""
    return Listing(Revision, _revisions, (campaign_id,))


def _revisions(campaign_id: UUID) -> QuerySet[Revision, Any]:
    return Revision.objects.filter(campaign_id=campaign_id).values_list(*HEAD_COLUMNS)
