"""The picture of a campaign's steps: what it says, where things are, and that it follows what isn't saved yet."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.admin.timeline_svg import DrawnStep, Place, draw, duration, shorten
from campaigns.models import Campaign
from campaigns.tests.admin.pages import campaign_url, opened, row, with_new_row
from campaigns.tests.factories import make_campaign, make_step, stored

SVG = "{http://www.w3.org/2000/svg}"


def svg_of(html: str) -> ElementTree.Element:
    """The drawing, which has to be well-formed XML."""
    found = re.search(r"<svg.*?</svg>", html, re.DOTALL)
    assert found
    return ElementTree.fromstring(found.group())  # noqa: S314 - our own output


def dots(html: str) -> list[float]:
    """Where the steps' dots are, in per cent of the width."""
    return [float(circle.get("cx", "").rstrip("%")) for circle in svg_of(html).iter(f"{SVG}circle")]


def told(html: str) -> list[str]:
    """What a screen reader reads."""
    return [unescape(" ".join(item.split())) for item in re.findall(r"<li>(.*?)</li>", html, re.DOTALL)]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "at once"),
        (1, "1 min"),
        (60, "1 h"),
        (1440, "1 d"),
        (2 * 1440 + 4 * 60, "2 d 4 h"),
        (1501, "1 d 1 h 1 min"),
        (2_147_483_647, "1,491,308 d 2 h 7 min"),
    ],
)
def test_durations_read_as_people_say_them(minutes: int, text: str) -> None:
    assert duration(minutes) == text


def test_steps_stand_along_the_axis_in_proportion() -> None:
    html = draw([DrawnStep(delay, "t", "v", delay) for delay in (0, 60, 180)])
    assert dots(html) == [1.0, 25.5, 99.0]


def test_a_screen_reader_is_told_delay_and_offset_of_each_step() -> None:
    html = draw([DrawnStep(60, "hello", "v1", 0), DrawnStep(0, "offer", "v2", 5), DrawnStep(3000, "bye", "v3", 9)])
    assert told(html) == [
        "Position 0: hello, version v1: 1 h after entering, at 1 h.",
        "Position 5: offer, version v2: at once after the previous, at 1 h.",
        "Position 9: bye, version v3: 2 d 2 h after the previous, at 2 d 3 h.",
    ]


@pytest.mark.parametrize("count", [1, 5, 40, 200])
def test_every_step_has_a_row_of_its_own_inside_the_drawing(count: int) -> None:
    svg = svg_of(draw([DrawnStep(90 * number, f"t{number}", "v", number) for number in range(count)]))
    heights = [float(circle.get("cy", "")) for circle in svg.iter(f"{SVG}circle")]
    assert len(set(heights)) == count
    assert max(heights) < float(svg.get("height", ""))


@pytest.mark.parametrize("total", [0, 1, 7, 59, 61, 1440, 40 * 1440, 3650 * 1440, 2_147_483_647 * 300])
def test_the_axis_has_a_few_round_marks(total: int) -> None:
    svg = svg_of(draw([DrawnStep(total, "t", "v", 0)]))
    marks = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "tick"]
    assert 1 <= len(marks) <= 6


def test_steps_at_one_moment_are_drawn_at_the_start() -> None:
    assert dots(draw([DrawnStep(0, "a", "1", 0), DrawnStep(0, "b", "2", 1)])) == [1.0, 1.0]


def test_a_later_page_goes_on_where_the_earlier_ended() -> None:
    html = draw([DrawnStep(60, "t", "v", 100)], Place(start=1440, follows=True, total=5000))
    assert told(html) == ["Position 100: t, version v: 1 h after the previous, at 1 d 1 h."]
    assert "1 of 5000 steps, from 1 d to 1 d 1 h" in html


def test_ids_cannot_break_out_of_the_drawing() -> None:
    html = draw([DrawnStep(0, "<script>alert(1)</script>", "\"'&<", 0)])
    assert "<script" not in html
    assert told(html) == ["Position 0: <script>alert(1)</script>, version \"'&<: at once, at the start."]


def test_long_ids_keep_both_their_ends() -> None:
    assert (shorten("abcdefghij", 10), shorten("abcdefghijk", 10)) == ("abcdefghij", "abcd…ghijk")


# --- On the page -----------------------------------------------------------------------------------------------------


def preview(client: Client, form: dict[str, str]) -> str:
    return client.post(reverse("admin:campaigns_campaign_timeline"), form).content.decode()


@pytest.fixture
def campaign(db: None) -> Campaign:
    campaign = make_campaign()
    make_step(campaign, 0)
    make_step(campaign, 1, delay_minutes=1440)
    return campaign


def test_the_page_shows_the_picture(viewer: Client, campaign: Campaign) -> None:
    html = viewer.get(campaign_url(campaign.pk)).context["timeline"]
    assert told(html) == [
        "Position 0: t0, version t0-v1: at once, at the start.",
        "Position 1: t1, version t1-v1: 1 d after the previous, at 1 d.",
    ]


def test_the_picture_follows_edits_that_are_not_saved(editor: Client, campaign: Campaign) -> None:
    form = opened(editor, campaign)
    form |= row(0, position=5) | row(1, delay_minutes_days="", delay_minutes_hours=3)
    form = with_new_row(form, position=9, template_id="new", template_version_id="v")
    before = stored()
    assert told(preview(editor, form)) == [
        "Position 1: t1, version t1-v1: 3 h after entering, at 3 h.",
        "Position 5: t0, version t0-v1: at once after the previous, at 3 h.",
        "Position 9: new, version v: at once after the previous, at 3 h.",
    ]
    assert stored() == before


def test_what_is_not_complete_yet_is_counted(editor: Client, campaign: Campaign) -> None:
    form = opened(editor, campaign) | row(0, template_id="")
    html = preview(editor, form)
    assert told(html) == ["Position 1: t1, version t1-v1: 1 d after entering, at 1 d."]
    assert "(1 more can't be drawn until it is corrected)" in html


def test_removed_steps_leave_the_picture(editor: Client, campaign: Campaign) -> None:
    assert "No steps yet." in preview(editor, opened(editor, campaign) | row(0, DELETE="on") | row(1, DELETE="on"))


@pytest.mark.parametrize("form", [{}, {"steps-TOTAL_FORMS": "x"}, {"steps-TOTAL_FORMS": "100000000"}])
def test_a_form_that_is_none_is_no_crash(editor: Client, form: dict[str, str]) -> None:
    assert editor.post(reverse("admin:campaigns_campaign_timeline"), form).status_code == 200
