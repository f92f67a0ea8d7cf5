"""Staff who forgot their password get a link by e-mail, where e-mail is configured."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from messaging_project import password_reset, urls
from messaging_project.api.models import ThrottleCounter

OF_ACCOUNT, OF_ADDRESS = password_reset.OF_ACCOUNT.calls, password_reset.OF_ADDRESS.calls
urlpatterns = [*password_reset.urls, *urls.urlpatterns]
pytestmark = pytest.mark.django_db
LINK = '<a href="/admin/password_reset/">'
NEW = "a-new-passphrase-7"


def test_without_a_mail_server_nothing_leads_to_a_reset() -> None:
    assert LINK not in Client().get("/admin/login/").content.decode()
    assert Client().get("/admin/password_reset/").status_code == 302  # to the login, as for every unknown page


@pytest.mark.urls(__name__)
def test_a_forgotten_password_is_reset_by_a_link_that_is_mailed(mailoutbox: list[Any]) -> None:
    User.objects.create_user("ada", "ada@example.com", "forgotten-1", is_staff=True)
    client = Client()
    assert LINK in client.get("/admin/login/").content.decode()
    client.post("/admin/password_reset/", {"email": "ada@example.com"})
    (mail,) = mailoutbox
    assert mail.to == ["ada@example.com"]
    found = re.search(r"http://testserver(/admin/password_reset/\S+)", mail.body)
    assert found
    page = client.get(found[1], follow=True)
    client.post(page.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW})
    assert client.login(username="ada", password=NEW)


@pytest.mark.urls(__name__)
def test_an_address_that_nobody_has_gets_the_same_answer_and_no_mail(mailoutbox: list[Any]) -> None:
    User.objects.create_user("ada", "ada@example.com", "forgotten-1", is_staff=True)
    answers = [
        Client().post("/admin/password_reset/", {"email": email}) for email in ("ada@example.com", "eve@example.com")
    ]
    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [
        (302, "/admin/password_reset/done/")
    ] * 2
    assert [mail.to for mail in mailoutbox] == [["ada@example.com"]]


def ask(email: str, address: str) -> tuple[int, str]:
    """Ask for a reset from an address; what the answer shows. The hour in which it is counted never ends."""
    answer = Client(REMOTE_ADDR=address).post("/admin/password_reset/", {"email": email})
    ThrottleCounter.objects.update(resets_at=2**40)
    return answer.status_code, answer.headers["Location"]


@pytest.mark.urls(__name__)
def test_an_account_gets_few_mails_in_an_hour_wherever_they_are_asked_for(
    mailoutbox: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    ada = User.objects.create_user("ada", "ada@example.com", "forgotten-1", is_staff=True)
    User.objects.create_user("eve", "eve@example.com", "forgotten-2", is_staff=True)
    answers = {ask(email, f"192.0.2.{number}") for number, email in enumerate(["ADA@example.com"] * (OF_ACCOUNT + 2))}
    answers.add(ask("eve@example.com", "192.0.2.1"))
    assert answers == {(302, "/admin/password_reset/done/")}
    assert [mail.to for mail in mailoutbox] == [["ada@example.com"]] * OF_ACCOUNT + [["eve@example.com"]]
    said = f"A password reset isn't mailed: account {ada.pk} passed {OF_ACCOUNT} in one hour."
    assert caplog.messages == [said] * 2


@pytest.mark.urls(__name__)
def test_an_address_asks_for_few_mails_in_an_hour_also_by_names_that_nobody_has(
    mailoutbox: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.create_user("ada", "ada@example.com", "forgotten-1", is_staff=True)
    answers = {ask(f"{number}@example.com", "192.0.2.7") for number in range(OF_ADDRESS)}
    answers.add(ask("ada@example.com", "192.0.2.7"))
    assert mailoutbox == []
    assert caplog.messages == [f"A password reset isn't mailed: address 192.0.2.7 passed {OF_ADDRESS} in one hour."]
    answers.add(ask("ada@example.com", "192.0.2.8"))
    assert [mail.to for mail in mailoutbox] == [["ada@example.com"]]
    assert answers == {(302, "/admin/password_reset/done/")}
