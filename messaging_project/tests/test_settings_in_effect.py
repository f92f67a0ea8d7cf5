"""Settings that show in answers only."""

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

MEBIBYTE = 1024 * 1024


@pytest.fixture
def https(settings: Settings) -> None:
    """As in production: everything but the API is for HTTPS."""
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("path", "status"), [("/v1/messaging/campaigns", 401), ("/v1/messaging/campaigns/", 401), ("/v1/x", 404)]
)
def test_the_api_never_redirects(https: None, method: str, path: str, status: int) -> None:
    """Clients would repeat a POST as a GET, or send their token twice."""
    assert getattr(Client(), method)(path).status_code == status


@pytest.mark.django_db  # the second asks for a session
@pytest.mark.parametrize("secure", [False, True], ids=["to HTTPS", "to the login"])
def test_an_address_too_long_to_redirect_to_is_a_line_of_the_log(
    https: None, caplog: pytest.LogCaptureFixture, secure: bool
) -> None:
    response = Client().get(f"/admin/{'a' * 20_000}", secure=secure)

    (record,) = caplog.records
    assert (response.status_code, record.levelname, record.exc_info) == (400, "WARNING", None)
    assert record.getMessage() == "Bad Request: DisallowedRedirect: Unsafe redirect exceeding 16384 characters"


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/", "/static/site.css", "/x/v1/"])
def test_pages_redirect_to_https(https: None, path: str) -> None:
    response = Client().get(path)

    assert (response.status_code, response["Location"]) == (301, f"https://testserver{path}")


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/", "/v1/x"])
def test_no_answer_may_stand_in_a_frame(path: str) -> None:
    assert Client().get(path)["X-Frame-Options"] == "DENY"


def test_a_request_of_the_api_has_no_session() -> None:
    """What finds one costs each call a look-up, and its answer could set a cookie."""
    client = Client()

    assert hasattr(client.get("/docs").wsgi_request, "session")
    assert not hasattr(client.get("/v1/x").wsgi_request, "session")


def test_static_files_need_no_collecting() -> None:
    response = Client().get("/static/site.css")

    assert (response.status_code, response["Content-Type"]) == (200, 'text/css; charset="utf-8"')


def test_a_query_parameter_named_format_chooses_nothing(client: Client) -> None:
    assert client.get("/v1/messaging/campaigns?format=xml").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(("size", "status"), [(7 * MEBIBYTE, 200), (8 * MEBIBYTE + 1, 400)])
def test_forms_may_have_eight_mebibytes(size: int, status: int) -> None:
    response = Client().post("/admin/login/", {"username": "x" * size, "password": "x"})

    assert response.status_code == status


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("margarethe-1", "password_too_similar"),
        ("x7Kq-2f", "password_too_short"),
        ("sunshine1", "password_too_common"),
        ("8301947562", "password_entirely_numeric"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(password: str, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_password(password, User(username="margarethe"))

    assert [error.code for error in refusal.value.error_list] == [code]
