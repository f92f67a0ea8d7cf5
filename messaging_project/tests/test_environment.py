"""The readers of environment variables, and this machine's secrets."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from messaging_project.environment import Environment, local_secrets

# --- The readers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"NAME": ""}, {"NAME": "  "}])
def test_an_unset_and_an_empty_variable_give_the_default(variables: dict[str, str]) -> None:
    env = Environment(variables)

    assert env.text("NAME", "default") == "default"
    assert env.flag("NAME", default=True) is True
    assert env.integer("NAME", default=7) == 7
    assert env.words("NAME", ("a", "b")) == ["a", "b"]
    assert env.choice("NAME", ("x", "y"), default="y") == "y"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("no", False)],
)
def test_a_flag_has_the_usual_spellings(value: str, expected: bool) -> None:
    assert Environment({"NAME": value}).flag("NAME", default=not expected) is expected


@pytest.mark.parametrize("url", ["postgres://db", "postgres://db:5432/", "postgres:/name", "sqlite:/name"])
def test_a_database_has_a_name_behind_its_host(url: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"^NAME (can't|doesn't) .*: set it to postgres://user:password@host"
    ):
        Environment({"NAME": url}).database("NAME", default="")


@pytest.mark.parametrize("url", ["postgres:///name", "postgres://?service=name", "sqlite:///name", "sqlite://:memory:"])
def test_a_database_may_be_found_in_other_ways(url: str) -> None:
    found = Environment({"NAME": url}).database("NAME", default="")

    assert found["NAME"] in ("name", ":memory:") or found["OPTIONS"] == {"service": "name"}


def test_a_flag_refuses_anything_else() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^NAME is 'maybe': set it to 1 or 0\.$"):
        Environment({"NAME": "maybe"}).flag("NAME", default=False)


def test_an_integer_is_read_up_to_its_bounds() -> None:
    assert Environment({"NAME": "3"}).integer("NAME", default=7, minimum=3) == 3
    assert Environment({"NAME": " 999999999 "}).integer("NAME", default=7) == 999_999_999


@pytest.mark.parametrize("value", ["2", "-3", "3.5", "three", "1_000", "٣", "²", "1000000000"])
def test_an_integer_refuses_anything_else(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^NAME is '{value}': set it to a whole number from 3 to 999999999"):
        Environment({"NAME": value}).integer("NAME", default=7, minimum=3)


def test_words_are_separated_by_commas_and_stripped() -> None:
    assert Environment({"NAME": " a, b ,,c "}).words("NAME") == ["a", "b", "c"]


@pytest.mark.parametrize("value", ["https://bücher.example", "https://a.example:٤٤٣"])
def test_hosts_and_origins_are_ascii_as_browsers_send_them(value: str) -> None:
    env = Environment({"NAME": value, "HOST": value.removeprefix("https://")})
    with pytest.raises(ImproperlyConfigured, match=f"^NAME has '{value}': set it to comma-separated origins, such as"):
        env.origins("NAME")
    with pytest.raises(ImproperlyConfigured, match=r"^HOST has '.*': set it to comma-separated host names, such as"):
        env.hosts("HOST")


def test_a_choice_names_what_may_be_chosen() -> None:
    assert Environment({"NAME": "x"}).choice("NAME", ("x", "y"), default="y") == "x"
    with pytest.raises(ImproperlyConfigured, match=r"^NAME is 'z': set it to one of x, y\.$"):
        Environment({"NAME": "z"}).choice("NAME", ("x", "y"), default="y")


def test_an_address_is_a_host_and_a_port() -> None:
    addresses = [Environment({"NAME": value}).address("NAME", "x:1") for value in ("", "0.0.0.0:9100", "[::1]:80")]

    assert addresses == [("x", 1), ("0.0.0.0", 9100), ("::1", 80)]  # noqa: S104


@pytest.mark.parametrize("value", ["9100", "host", "host:", ":9100", "host:port", "host:0", "host:99999", "a@b:1/c"])
def test_an_address_refuses_anything_else(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"set it to a host and a port, such as 127\.0\.0\.1:9100\.$"):
        Environment({"NAME": value}).address("NAME", "127.0.0.1:9100")


def test_a_time_zone_is_one_that_the_machine_knows() -> None:
    assert Environment({"NAME": "Europe/Berlin"}).time_zone("NAME", default="UTC").key == "Europe/Berlin"
    assert Environment({}).time_zone("NAME", default="UTC").key == "UTC"


@pytest.mark.parametrize("value", ["Berlin", "Europe", "../etc/passwd", "CET+1"])
def test_a_time_zone_refuses_anything_else(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="set it to a time zone, such as Europe/Berlin"):
        Environment({"NAME": value}).time_zone("NAME", default="UTC")


def test_the_default_source_is_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESSAGING_TEST", "here")

    assert Environment().text("MESSAGING_TEST") == "here"


# --- This machine's secrets ------------------------------------------------------------------------------------------


def test_local_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "secrets.json"

    first = local_secrets(path)

    assert local_secrets(path) == first
    assert set(first) == {"secret_key", "access_token_key"}
    assert len(set(first.values())) == 2
    assert all(len(secret) >= 50 for secret in first.values())
    assert local_secrets(tmp_path / "elsewhere" / "secrets.json") != first


def test_local_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "secrets.json"

    local_secrets(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "secrets.json"

    start = Barrier(32)

    def at_once(_: int) -> dict[str, str]:
        start.wait()
        return local_secrets(path)

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(at_once, range(32)))

    assert found == [found[0]] * 32
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "null", '{"secret_key": "x"}'])
def test_a_damaged_file_of_secrets_says_how_to_get_new_ones(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)

    with pytest.raises(ImproperlyConfigured, match="delete that file to have new ones made, or set DJANGO_SECRET_KEY"):
        local_secrets(path)
    assert path.read_text() == content
