"""`manage.py load_demo`: what it writes, what it leaves alone, and that the lines it prints do what they say."""

import json
import re
import shlex
import stat
import time
from io import StringIO
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from campaigns.lifecycle import change_status
from campaigns.management.commands import load_demo as module
from campaigns.management.commands.load_demo import LOADER
from campaigns.models import Action, ActorType, Campaign, CampaignStep, HistoryEntry
from campaigns.tests.factories import stored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def working_copy(settings: Settings, tmp_path: Path) -> Path:
    """A local working copy of its own, for the file with the password."""
    settings.DEMO = True
    settings.BASE_DIR = tmp_path
    return tmp_path


def load_demo(**options: str) -> str:
    output = StringIO()
    call_command("load_demo", stdout=output, **options)
    return output.getvalue()


def requests_in(output: str) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """The address, headers and body of each curl, read as a shell reads them."""
    found = []
    for command in re.findall(r"^curl(?:.*\\\n)*.*$", output, re.MULTILINE):
        words = shlex.split(command.replace("\\\n", ""))
        assert words[:4] == ["curl", "-i", "-X", "POST"]
        headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
        found.append((words[4], headers, json.loads(words[words.index("-d") + 1])))
    return found


def send(output: str) -> list[Any]:
    """Export the printed token and paste each printed curl: the answers."""
    [token] = re.findall(r"^export ACCESS_TOKEN=(\S+)$", output, re.MULTILINE)
    answers = []
    for url, headers, body in requests_in(output):
        given = {name: value.replace("$ACCESS_TOKEN", token) for name, value in headers.items()}
        path = url.removeprefix("http://127.0.0.1:8000")
        answers.append(APIClient().post(path, body, headers=given))
    return answers


def password_in(output: str) -> str:
    [password] = re.findall(r"user demo, password (\S+)$", output, re.MULTILINE)
    return str(password)


def test_what_the_domain_refuses_a_command_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACTIVE_STEPS", ())
    with pytest.raises(CommandError) as refused:
        load_demo()
    told = "The campaign isn't ready to be activated: The campaign has no steps: add at least one."
    assert (str(refused.value), refused.value.returncode) == (told, 1)


# --- The first start -------------------------------------------------------------------------------------------------


def test_it_loads_a_draft_and_an_active_campaign_with_steps() -> None:
    load_demo()

    campaigns = Campaign.objects.order_by("id")
    assert [(campaign.name, campaign.status, campaign.steps.count()) for campaign in campaigns] == [
        ("Welcome series", "draft", 3),
        ("Trial ending", "active", 3),
    ]
    for step in CampaignStep.objects.all():
        step.full_clean()


def test_its_campaigns_have_a_history() -> None:
    load_demo()

    entries = HistoryEntry.objects.order_by("id")
    assert {(entry.actor_type, entry.actor_id) for entry in entries} == {(ActorType.COMMAND, "load_demo")}
    assert [entry.action for entry in entries] == [
        Action.CAMPAIGN_CREATED,
        Action.CAMPAIGN_CREATED,
        Action.CAMPAIGN_ACTIVATED,
    ]


def test_the_first_curl_adds_a_step_and_the_second_is_refused() -> None:
    created, refused = send(load_demo())

    assert created.status_code == 201
    assert set(created.json()) == {
        *("id", "campaign_id", "position", "template_id", "template_version_id", "delay_minutes", "variables")
    }
    assert created.json()["position"] == 3
    assert refused.status_code == 412
    assert refused.json()["details"]["reason"] == "campaign_not_editable"


def test_the_token_is_valid_for_thirty_days() -> None:
    [token] = re.findall(r"^export ACCESS_TOKEN=(\S+)$", load_demo(), re.MULTILINE)

    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "demo"
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3_600
    assert abs(claims["iat"] - time.time()) < 60


def test_the_token_has_every_scope_that_some_operation_needs(settings: Settings) -> None:
    settings.REQUIRED_SCOPES = ["addStep=campaigns:read campaigns:write", "*=campaigns:read"]

    [token] = re.findall(r"^export ACCESS_TOKEN=(\S+)$", load_demo(), re.MULTILINE)

    assert jwt.decode(token, options={"verify_signature": False})["scope"] == "campaigns:read campaigns:write"


def test_every_address_is_that_of_the_server() -> None:
    output = load_demo(url="http://[::1]:9000")

    assert set(re.findall(r"http://[^/]+", output)) == {"http://[::1]:9000"}
    assert "Docs:  http://[::1]:9000/docs\n" in output
    assert "Admin: http://[::1]:9000/admin/ - user demo, password " in output


def test_the_account_signs_in_to_the_admin_and_sees_campaigns(client: Client) -> None:
    password = password_in(load_demo())

    assert client.login(username="demo", password=password)
    assert "Welcome series" in client.get("/admin/campaigns/campaign/").content.decode()
    assert client.get("/admin/auth/user/").status_code == 403


def test_the_password_is_kept_where_only_its_owner_reads_it(working_copy: Path) -> None:
    password = password_in(load_demo())

    path = working_copy / ".local" / "demo-password"
    assert path.read_text() == password
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# --- Later starts ----------------------------------------------------------------------------------------------------


def test_a_second_start_adds_nothing_and_prints_the_same_account() -> None:
    first = load_demo()
    before = stored()

    second = load_demo()

    assert stored() == before
    assert User.objects.count() == 1
    assert password_in(second) == password_in(first)


def test_a_second_start_prints_a_position_that_is_free_now() -> None:
    assert send(load_demo())[0].status_code == 201
    assert [answer.status_code for answer in send(load_demo())] == [201, 412]


def test_a_campaign_that_was_changed_stays_as_it_is() -> None:
    load_demo()
    draft = Campaign.objects.get(name="Welcome series")
    draft.steps.all().delete()
    Campaign.objects.filter(pk=draft.pk).update(name="My series")

    output = load_demo()

    draft.refresh_from_db()
    assert (draft.name, draft.steps.count()) == ("My series", 0)
    assert '# Add a step to "My series" (draft): 201 Created' in output
    assert send(output)[0].json()["position"] == 0


def test_a_password_that_was_changed_is_neither_printed_nor_reset() -> None:
    password = password_in(load_demo())
    user = User.objects.get(username="demo")
    user.set_password("another one")
    user.save()

    output = load_demo()

    assert password not in output
    assert "user demo; its password was changed, " in output
    assert "manage.py changepassword demo sets a new one" in output
    user.refresh_from_db()
    assert user.check_password("another one")


@pytest.mark.parametrize(
    ("name", "target", "printed"),
    [
        ("Trial ending", "paused", '# Add a step to "Welcome series" (draft): 201 Created'),
        ("Welcome series", "active", "# Neither demo campaign can be changed now."),
    ],
)
def test_the_curls_fit_what_became_of_the_campaigns(name: str, target: str, printed: str) -> None:
    load_demo()
    change_status(Campaign.objects.get(name=name).id, target, actor=LOADER)

    output = load_demo()

    assert printed in output
    expected = {"paused": [201], "active": [412]}[target]
    assert [answer.status_code for answer in send(output)] == expected


# --- Elsewhere -------------------------------------------------------------------------------------------------------


def test_without_leave_it_writes_nothing_and_says_how_to_go_on(
    settings: Settings, working_copy: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.DEMO = False

    with django_assert_num_queries(0):
        output = load_demo(url="http://127.0.0.1:9000")

    assert list(working_copy.iterdir()) == []
    assert "DEMO=1 loads it all the same" in output
    assert "manage.py issue_token\n" in output
    assert re.search(r"^Docs:  http://127.0.0.1:9000/docs$", output, re.MULTILINE)
    assert re.search(
        r"^Admin: http://127.0.0.1:9000/admin/ - make an account: \S+ manage.py createsuperuser$", output, re.MULTILINE
    )


def test_without_a_key_of_its_own_it_says_where_tokens_come_from(settings: Settings) -> None:
    settings.ACCESS_TOKENS = settings.ACCESS_TOKENS | {"JWKS_URL": "https://identity.example.com/jwks", "HS256_KEY": ""}

    output = load_demo()

    assert "export ACCESS_TOKEN" not in output
    assert "# No access token: JWT_JWKS_URL names an identity provider: get the token there" in output
