"""Staff who forgot their password get a link by e-mail, where e-mail is configured."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from messaging_project import password_reset, urls

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


@pytest.mark.urls(__name__)
def test_mails_are_bounded_by_account_and_by_address_with_the_same_answer(
    mailoutbox: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("ada", "eve"):
        User.objects.create_user(name, f"{name}@example.com", "forgotten-1", is_staff=True)

    def ask(name: str, address: str) -> tuple[int, str]:
        answer = Client(REMOTE_ADDR=address).post("/admin/password_reset/", {"email": f"{name}@example.com"})
        return answer.status_code, answer.headers["Location"]

    answers = {ask("ada", f"192.0.2.{number}") for number in range(5)}  # each from an address of its own
    assert [mail.to for mail in mailoutbox] == [["ada@example.com"]] * 3
    answers |= {ask("nobody", "192.0.2.99") for _ in range(20)}
    answers.add(ask("eve", "192.0.2.99"))
    assert len(mailoutbox) == 3
    answers.add(ask("eve", "192.0.2.98"))
    assert mailoutbox[3].to == ["eve@example.com"]
    assert answers == {(302, "/admin/password_reset/done/")}
    ada = User.objects.get(username="ada").pk
    assert [record.getMessage() for record in caplog.records if record.name == password_reset.__name__] == [
        *[f"No mail to reset a password: more than 3 an hour of the account {ada}"] * 2,
        "No mail to reset a password: more than 20 an hour of the address 192.0.2.99",
    ]
