"""What the database itself enforces, whatever writes to it, and what the models say of it."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import Model

from campaigns.models import Campaign, CampaignStep, new_id
from campaigns.tests.factories import make_campaign, make_step, new_step, stored

pytestmark = pytest.mark.django_db
# What a constraint is called in SQLite's message, where that isn't its own name.
COLUMNS = {
    "step_position_unique": "campaigns_campaignstep.campaign_id, campaigns_campaignstep.position",
    "campaigns_campaign_external_id_key": "campaigns_campaign.external_id",
}


def name_in(error: DatabaseError) -> str:
    """The violated constraint, as the database names it."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name)
    text = str(error).rpartition(": ")[2]
    return next((name for name, columns in COLUMNS.items() if columns == text), text)


def insert(row: Model) -> None:
    """Past every validation: constraints are all that is left."""
    with transaction.atomic():
        type(row)._default_manager.bulk_create([row])
        connection.check_constraints()  # the foreign keys, else looked at when the test's transaction ends


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"status": "sleeping"}, "campaign_status_known"),
        ({"status": ""}, "campaign_status_known"),
        ({"name": ""}, "campaign_name_filled"),
        ({"external_id": ""}, "campaign_external_id_filled"),
        ({"description": "a" * 10_001}, "campaign_description_length"),
    ],
)
def test_the_database_refuses_a_bad_campaign(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError) as refusal:
        insert(Campaign(**{"name": "Welcome", **fields}))
    assert name_in(refusal.value) == constraint
    assert stored() == []


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"position": -1}, "step_position_range"),
        ({"position": 2**32}, "step_position_range"),
        ({"delay_minutes": -1}, "step_delay_range"),
        ({"template_id": ""}, "step_template_filled"),
        ({"template_version_id": ""}, "step_template_filled"),
        ({"variables": []}, "step_variables_object"),
        ({"variables": "text"}, "step_variables_object"),
        ({"variables": 5}, "step_variables_object"),
        ({"position": 0}, "step_position_unique"),
    ],
)
def test_the_database_refuses_a_bad_step(fields: dict[str, Any], constraint: str) -> None:
    campaign = make_campaign(steps=1)
    before = stored()
    with pytest.raises(IntegrityError) as refusal:
        insert(new_step(campaign, **{"position": 1, **fields}))
    assert name_in(refusal.value) == constraint
    assert stored() == before


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (lambda campaign: Campaign(name="a" * 201), "campaign_name_filled"),
        (lambda campaign: Campaign(name="a", external_id="a" * 256), "campaign_external_id_filled"),
        (lambda campaign: new_step(campaign, 1, delay_minutes=2**31), "step_delay_range"),
        (lambda campaign: new_step(campaign, 1, template_id="a" * 256), "step_template_filled"),
        (lambda campaign: new_step(campaign, 1, template_version_id="a" * 256), "step_template_filled"),
    ],
)
def test_the_database_refuses_what_is_too_long_or_too_large(row: Any, constraint: str) -> None:
    campaign = make_campaign()
    before = stored()
    with pytest.raises((IntegrityError, DataError)) as refusal:
        insert(row(campaign))
    # PostgreSQL's columns have these limits themselves; SQLite's take anything.
    assert isinstance(refusal.value, DataError) or name_in(refusal.value) == constraint
    assert stored() == before


def test_an_external_id_belongs_to_one_campaign_but_none_is_needed() -> None:
    make_campaign(external_id="crm-7")
    make_campaign()
    make_campaign()
    with pytest.raises(IntegrityError) as refusal:
        insert(Campaign(name="Welcome", external_id="crm-7"))
    assert name_in(refusal.value).startswith("campaigns_campaign_external_id")


def test_a_step_belongs_to_a_campaign() -> None:
    with pytest.raises(IntegrityError):
        insert(CampaignStep(campaign_id=new_id(), position=0, template_id="t", template_version_id="v"))
    assert stored() == []


def test_positions_above_the_limit_are_room_to_renumber() -> None:
    campaign = make_campaign()
    insert(new_step(campaign, 2**31))
    insert(new_step(campaign, 2**32 - 1))
    assert campaign.steps.count() == 2


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        (lambda _: Campaign(name=" "), {"name": ["Must not be empty or only white space."]}),
        (lambda _: Campaign(name="n", external_id="a\nb"), {"external_id": ["Must not contain control characters."]}),
        (
            lambda _: Campaign(name="n", external_id="taken"),
            {"external_id": ["Another campaign has this external id."]},
        ),
        (lambda campaign: new_step(campaign, 0), {"__all__": ["This position holds another step of the campaign."]}),
        (lambda campaign: new_step(campaign, -1), {"position": ["Must be 0 or more."]}),
        (lambda campaign: new_step(campaign, 2**31), {"position": ["Must be at most 2147483647."]}),
        (
            lambda campaign: new_step(campaign, 1, variables={"a": ["\x00"], "b": "\ud800"}),
            {
                "variables": [
                    "a.0: Must not contain the character U+0000.",
                    "b: Must not contain half of a surrogate pair.",
                ]
            },
        ),
    ],
)
def test_validation_says_what_is_wrong_and_where(row: Any, messages: dict[str, list[str]]) -> None:
    campaign = make_campaign(steps=1, external_id="taken")
    with pytest.raises(ValidationError) as refusal:
        row(campaign).full_clean()
    assert refusal.value.message_dict == messages


def test_good_rows_are_valid() -> None:
    campaign = make_campaign(steps=1, external_id="crm-7")
    campaign.full_clean()
    make_step(campaign, 1).full_clean()
    Campaign(name="Without anything else").full_clean()


def test_a_campaign_made_by_hand_is_an_empty_draft() -> None:
    campaign = Campaign.objects.create(name="Welcome")
    assert (campaign.status, campaign.version, campaign.external_id, campaign.description) == (
        Campaign.Status.DRAFT,
        1,
        None,
        "",
    )
    assert campaign.steps.count() == 0


def test_ids_are_version_7_and_in_order_of_creation() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(ids)
    assert {(type(made), made.version, made.variant) for made in ids} == {(uuid.UUID, 7, uuid.RFC_4122)}


def test_steps_go_with_their_campaign_and_with_no_other() -> None:
    campaign, other = make_campaign(steps=2), make_campaign(steps=1)
    campaign.delete()
    assert list(CampaignStep.objects.all()) == list(other.steps.all())


@pytest.mark.django_db(transaction=True)
def test_migrations_can_be_undone_and_done_again() -> None:
    call_command("migrate", "campaigns", "zero", verbosity=0)
    assert [table for table in connection.introspection.table_names() if table.startswith("campaigns_")] == []
    call_command("migrate", "campaigns", verbosity=0)
    make_campaign(steps=1)


def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
