"""Above 300 steps: pages of 100 that are edited by themselves, and steps that are found."""

from typing import Any

import pytest
from django.test import Client

from campaigns.admin.stored_steps import MAX_FOUND
from campaigns.exceptions import CampaignNotEditable, NoRoom, StepSetMismatch
from campaigns.many_steps import DesiredStep, replace_part
from campaigns.models import Campaign
from campaigns.parts import Part
from campaigns.steps import add_step, change_step, remove_step
from campaigns.tests.admin.pages import FormReader, campaign_url, errors_of, row, with_new_row
from campaigns.tests.factories import ACTOR, history_of, make_campaign, make_step, positions, step_fields, stored

LAST = 349
TOP = 2_147_483_647


@pytest.fixture
def campaign(db: None) -> Campaign:
    """A campaign with steps at the positions 0 to LAST."""
    return make_campaign(steps=LAST + 1)


def url(campaign: Campaign, query: str = "") -> str:
    return campaign_url(campaign.pk) + query


def page(client: Client, campaign: Campaign, number: int) -> dict[str, str]:
    """The form of a page of steps as it is now."""
    return FormReader.of(client.get(url(campaign, f"?p={number}"))).data


def save(client: Client, campaign: Campaign, form: dict[str, str], number: int, button: str = "_continue=1") -> Any:
    name, _, value = button.partition("=")
    return client.post(url(campaign, f"?p={number}"), {**form, name: value})


def order(campaign: Campaign) -> list[str]:
    return list(campaign.steps.order_by("position").values_list("template_id", flat=True))


def elsewhere(campaign: Campaign) -> list[Any]:
    """Everything stored of the steps of other pages than the second."""
    return list(campaign.steps.exclude(position__range=(100, 199)).order_by("position").values())


def test_each_step_is_on_one_page(editor: Client, campaign: Campaign) -> None:
    pages = [page(editor, campaign, number) for number in (1, 2, 3, 4)]
    shown = [form[name] for form in pages for name in form if name.endswith("-template_id")]
    assert shown == [f"t{position}" for position in range(LAST + 1)]
    text = editor.get(url(campaign, "?p=4")).content.decode()
    assert "Steps 301-350 of 350" in text
    assert "50 of 350 steps, all at the start" in text


def test_a_page_is_saved_and_the_steps_of_other_pages_stay(editor: Client, campaign: Campaign) -> None:
    before = elsewhere(campaign)
    form = page(editor, campaign, 2) | row(0, position=101, template_id="new") | row(1, position=100)
    answer = save(editor, campaign, form | row(2, DELETE="on"), 2)
    assert answer.headers["Location"] == url(campaign, "?p=2")
    assert order(campaign)[99:104] == ["t99", "t101", "new", "t103", "t104"]
    assert elsewhere(campaign) == before
    assert [(entry["action"], entry["after"]) for entry in history_of(campaign)] == [
        ("step.deleted", None),
        ("step.changed", {"position": 100}),
        ("step.changed", {"position": 101, "template_id": "new"}),
    ]


def test_a_change_of_another_page_is_no_conflict(editor: Client, campaign: Campaign) -> None:
    form = page(editor, campaign, 2) | row(0, template_id="mine")
    change_step(campaign.pk, campaign.steps.get(position=0).pk, {"template_id": "theirs"}, actor=ACTOR)
    remove_step(campaign.pk, campaign.steps.get(position=320).pk, actor=ACTOR)
    assert save(editor, campaign, form, 2).status_code == 302
    assert (order(campaign)[0], order(campaign)[100]) == ("theirs", "mine")


def test_a_change_of_the_same_page_is_merged(editor: Client, campaign: Campaign) -> None:
    form = page(editor, campaign, 2) | row(0, template_id="mine")
    change_step(campaign.pk, campaign.steps.get(position=101).pk, {"template_id": "theirs"}, actor=ACTOR)
    before = stored()
    merged = save(editor, campaign, form, 2)
    assert stored() == before
    assert merged.context["merge"].taken == ["Position 101: Template"]
    assert save(editor, campaign, FormReader.of(merged).data, 2, "_overwrite=1").status_code == 302
    assert order(campaign)[100:102] == ["mine", "theirs"]
    assert len(order(campaign)) == LAST + 1


def test_a_page_that_a_campaign_outgrows_while_it_is_open_is_merged_and_saved(editor: Client) -> None:
    campaign = make_campaign(steps=299)
    form = FormReader.of(editor.get(url(campaign))).data | row(0, template_id="mine")
    form = with_new_row(form | row(1, DELETE="on"), position=299, template_id="new", template_version_id="v")
    for position in (299, 300):
        add_step(campaign.pk, step_fields(position, template_id="theirs"), actor=ACTOR)
    change_step(campaign.pk, campaign.steps.get(position=2).pk, {"template_id": "changed"}, actor=ACTOR)
    before = stored()
    merged = save(editor, campaign, form, 1)
    assert merged.context["merge"].taken == ["Position 2: Template", "2 steps, on other pages now"]
    again = save(editor, campaign, FormReader.of(merged).data, 1)
    assert stored() == before
    answer = save(editor, campaign, FormReader.of(again).data, 1, "_overwrite=_continue")
    assert answer.headers["Location"] == url(campaign, "?p=1")
    assert order(campaign) == [
        "mine",
        "changed",
        *(f"t{position}" for position in range(3, 299)),
        "theirs",
        "theirs",
        "new",
    ]


def test_a_step_that_was_moved_to_another_page_meanwhile_is_followed(editor: Client, campaign: Campaign) -> None:
    step = campaign.steps.get(position=100)
    form = page(editor, campaign, 2) | row(0, template_id="mine")
    change_step(campaign.pk, step.pk, {"position": 5000}, actor=ACTOR)
    merged = save(editor, campaign, form, 2)
    save(editor, campaign, FormReader.of(merged).data, 2, "_overwrite=1")
    step.refresh_from_db()
    assert (step.position, step.template_id) == (5000, "mine")
    assert len(order(campaign)) == LAST + 1


def test_a_step_moves_to_a_free_position_of_another_page(editor: Client, campaign: Campaign) -> None:
    step = campaign.steps.get(position=150)
    save(editor, campaign, page(editor, campaign, 2) | row(50, position=7000), 2)
    step.refresh_from_db()
    assert step.position == 7000


def test_a_position_that_another_page_holds_is_a_fault_that_offers_to_make_room(
    editor: Client, campaign: Campaign
) -> None:
    before = stored()
    answer = save(editor, campaign, page(editor, campaign, 2) | row(50, position=5), 2)
    assert stored() == before
    assert errors_of(answer) == {"steps-50-position": ["t5, on another page, has position 5."]}
    assert 'name="_continue" value="make-room"' in answer.content.decode()
    save(editor, campaign, FormReader.of(answer).data, 2, "_continue=make-room")
    names = [f"t{position}" for position in range(LAST + 1) if position != 150]
    assert order(campaign) == [*names[:5], "t150", *names[5:]]
    assert [(entry["action"], entry["after"]) for entry in history_of(campaign)] == [
        ("steps.shifted", {"from_position": 5, "to_position": 100, "steps": 95}),
        ("steps.reordered", {"steps": 51}),
    ]


@pytest.mark.django_db
def test_a_step_that_leaves_its_page_finds_room_up_to_the_highest_position() -> None:
    campaign = make_campaign(steps=1)
    make_step(campaign, TOP - 1)
    leave_page(campaign, TOP - 1)
    assert positions(campaign) == [TOP - 1, TOP]
    make_step(campaign, 0)
    before = stored()
    with pytest.raises(NoRoom) as refusal:
        leave_page(campaign, TOP)
    assert (refusal.value.position, stored()) == (TOP, before)


def leave_page(campaign: Campaign, position: int) -> None:
    """The first step moves from its page to `position`."""
    step = campaign.steps.get(position=0)
    moved = DesiredStep(step.id, step.fields._replace(position=position))
    replace_part(campaign.id, Part(0, 100), [moved], actor=ACTOR, shift=True)


@pytest.mark.django_db
def test_a_part_takes_its_own_steps_only_and_while_the_campaign_is_editable() -> None:
    live, draft = make_campaign(steps=1, status="active"), make_campaign(steps=1)
    make_step(draft, 100)
    outside = draft.steps.get(position=100)
    before = stored()
    with pytest.raises(CampaignNotEditable):
        replace_part(live.id, Part(0, 100), [], actor=ACTOR)
    with pytest.raises(StepSetMismatch):
        replace_part(draft.id, Part(0, 100), [DesiredStep(outside.id, outside.fields)], actor=ACTOR)
    assert stored() == before


def test_a_full_page_takes_another_step_where_the_following_pages_make_room(editor: Client, campaign: Campaign) -> None:
    form = page(editor, campaign, 1)
    for number in range(50, 100):
        form |= row(number, position=number + 1)
    form = with_new_row(form, position=50, template_id="new", template_version_id="v")
    assert errors_of(save(editor, campaign, form, 1)) == {
        "steps-99-position": ["t100, on another page, has position 100."]
    }
    save(editor, campaign, form, 1, "_continue=make-room")
    names = [f"t{position}" for position in range(LAST + 1)]
    assert order(campaign) == [*names[:50], "new", *names[50:]]


def test_a_part_that_is_none_saves_nothing(editor: Client, campaign: Campaign) -> None:
    form = page(editor, campaign, 2) | row(0, template_id="mine")
    before = stored()
    for part in ("x", "1:y:z:0-x", f"{form['page_part'].rpartition(':')[0]}:0-{2**31}"):
        assert save(editor, campaign, form | {"page_part": part}, 2).status_code == 200
    assert stored() == before


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("t34", ["t34", *(f"t34{digit}" for digit in range(10))]),
        ("T123-V", ["t123"]),
        ("9000", ["odd"]),
        ("nothing", []),
    ],
)
def test_steps_are_found_by_parts_of_ids_and_by_position(
    editor: Client, campaign: Campaign, term: str, found: list[str]
) -> None:
    make_step(campaign, 9000, template_id="odd", template_version_id="odd")
    answer = editor.get(url(campaign), {"q": term})
    assert [step.template_id for step in answer.context["found"]] == found


def test_a_search_says_where_it_stops(viewer: Client, campaign: Campaign) -> None:
    answer = viewer.get(url(campaign), {"q": "-v1"})
    assert f"More than {MAX_FOUND} steps match" in answer.content.decode()
    assert len(answer.context["found"]) == MAX_FOUND + 1


def test_a_position_leads_to_its_page(editor: Client, campaign: Campaign) -> None:
    make_step(campaign, 9000)
    assert editor.get(url(campaign, "?at=250")).context["page"].number == 3
    assert editor.get(url(campaign, "?at=9000")).context["page"].number == 4
    assert editor.get(url(campaign, "?at=x")).context["page"].number == 1
    step = campaign.steps.get(position=250)
    assert (
        f"{url(campaign)}?at=250#step-{step.pk}"
        in editor.get(f"/admin/campaigns/campaignstep/{step.pk}/change/").content.decode()
    )


def test_rows_that_cannot_be_edited_link_to_their_pages(viewer: Client, campaign: Campaign) -> None:
    text = viewer.get(url(campaign, "?p=2")).content.decode()
    ids = campaign.steps.filter(position__range=(100, 199)).values_list("pk", flat=True)
    assert [pk for pk in ids if f'href="/admin/campaigns/campaignstep/{pk}/change/"' not in text] == []
