"""What requirements.txt and requirements-dev.txt pin installs anywhere, and installs the same later on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from scripts import lint

ROOT = Path(settings.BASE_DIR)
FILES = ("requirements.txt", "requirements-dev.txt")


# --- Extras ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def working_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two empty requirements files, in which the made-up packages `asker` and `asked` are installed."""
    needs = [
        'asked[one,two]; python_version >= "3"',
        'asked[three]; extra == "more"',
        'asked[never]; python_version < "3"',
    ]
    install(tmp_path, "asker", needs)
    install(tmp_path, "asked", [])
    for name in FILES:
        (tmp_path / name).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def install(folder: Path, name: str, needs: list[str]) -> None:
    metadata = folder / f"{name}-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {need}" for need in needs)]
    metadata.write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("asker", "asked", "lacking"),
    [
        ("asker", "asked", ["one", "two"]),
        ("asker", "asked[two]", ["one"]),
        ("asker[more]", "Asked[one, two]", ["three"]),
    ],
)
def test_an_extra_that_a_pin_lacks_fails_the_lint_with_the_remedy(
    working_copy: Path, capsys: pytest.CaptureFixture[str], name: str, asker: str, asked: str, lacking: list[str]
) -> None:
    (working_copy / name).write_text(f"{asked}==1.0 \\\n    --hash=sha256:0\n    # via asker\n{asker}==1.0\n")

    assert not lint.extras_are_pinned()
    assert capsys.readouterr().err.splitlines() == [
        f"{name}: asker asks for asked[{extra}], but the pin of asked lacks the extra {extra}: run `make requirements`"
        for extra in lacking
    ]


def test_pins_with_every_extra_that_is_asked_of_them_pass_the_lint(
    working_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in FILES:
        (working_copy / name).write_text("""\
asked[one,two]==1.0 \\
    --hash=sha256:0
    # via asker
asker==1.0
not-for-this-platform==1.0 ; sys_platform == 'win32'
""")

    assert lint.extras_are_pinned()
    assert capsys.readouterr().err == ""


# --- Wheels and the oldest pip ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_built_from_source(name: str) -> None:
    assert "--only-binary :all:" in (ROOT / name).read_text().splitlines()


@pytest.mark.package_index
def test_the_oldest_pip_resolves_the_pinned_files(tmp_path: Path) -> None:
    oldest = re.search(r"pip (\d+(?:\.\d+)+) or newer", (ROOT / "README.md").read_text())
    assert oldest
    pip = str(tmp_path / "bin" / "pip")
    run(sys.executable, "-m", "venv", str(tmp_path))
    run(pip, "install", f"pip=={oldest[1]}")  # newer Pythons bring a newer one

    files = [f"--requirement={ROOT / name}" for name in FILES]
    output = run(pip, "install", "--dry-run", "--require-hashes", *files)

    assert run(pip, "--version").startswith(f"pip {oldest[1]} ")
    assert re.search(r"^Would install .*\bDjango-.*\bpytest-cov-", output, re.MULTILINE)


def run(*command: str) -> str:
    """The output of a command, in the environment of the test run, so with its package index."""
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    unreachable = "The package index can't be reached. " if "connection broken by" in answer.stdout else ""
    assert answer.returncode == 0, f"{unreachable}{' '.join(command)} failed:\n{answer.stdout}"
    return answer.stdout
