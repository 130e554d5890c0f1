"""README and docs say what is: every key, every command, every lesson, and links that lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from lrtui.cli.main import main
from lrtui.cli.verbs import VERBS
from lrtui.config.keys import KEYS
from lrtui.config.placeholders import ALIASES, FIXED
from lrtui.config.small_keys import RULES
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.schedules import SCHEDULES
from tests import generated_docs, generated_report
from tests.recorded import make

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def _text(page: str) -> str:
    return (DOCS / page).read_text()


def test_readme_fits_on_150_lines():
    assert len(README.splitlines()) <= 150


def test_architecture_fits_in_6_kib():
    assert (ROOT / "ARCHITECTURE.md").stat().st_size <= 6144


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("cli.md", generated_docs.cli_page),
        ("keys.md", generated_docs.keys_page),
        ("lrtui.1", generated_docs.manual_page),
        ("report.md", generated_report.report_page),
        ("report.schema.json", generated_report.report_schema),
    ],
)
def test_generated_page_is_current(page, made):
    assert _text(page).rstrip() == made().rstrip(), "run: python -m tests.generated_docs"


def test_every_experiment_key_is_documented():
    first_cells = re.findall(r"^\| (.+?) \|", _text("experiment-file.md"), re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    assert set(KEYS) <= documented, set(KEYS) - documented


def test_every_placeholder_is_documented():
    text = _text("own-scripts.md")
    for name in {*FIXED, *ALIASES.values()}:
        assert f"`{{{name}}}`" in text, name


def test_every_rule_is_documented():
    for rule in RULES:
        assert re.search(rf"^\| {rule} \|", _text("search.md"), re.MULTILINE), rule


def test_trainer_page_names_every_choice():
    text = _text("trainer.md")
    for name in {*OPTIMIZERS, *SCHEDULES}:
        assert f"`{name}`" in text, name
    counts = f"{len(OPTIMIZERS)} optimizers and {len(SCHEDULES)}"
    assert counts in " ".join(README.split())


def test_every_lesson_is_listed():
    for file in (ROOT / "experiments").glob("*.toml"):
        assert f"experiments/{file.name}" in _text("lessons.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        leads_to = page.parent / file if file else page
        assert leads_to.exists(), target
        if DOCS in page.parents:
            assert DOCS in leads_to.resolve().parents, (
                f"{target} leaves docs/, so the site has no such page"
            )
        if anchor:
            assert anchor in _anchors(leads_to), target


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", each).strip().lower()) for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page: Path):
    if page.name == "CHANGELOG.md":
        return  # tells of what was
    for name in re.findall(r"`((?:tests|docs|experiments)/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([a-z_]+/[\w./]+\.py)`", page.read_text()):
        assert (ROOT / name).exists() or (ROOT / "lrtui" / name).exists() or _somewhere(name), name


def _somewhere(name: str) -> bool:
    return any(ROOT.glob(f"lrtui/*/{name}"))


@pytest.mark.parametrize("page", [README, _text("getting-started.md")], ids=["README", "started"])
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    """A sweep is checked, not trained: tests/train trains what the experiments name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    make(tmp_path / "runs/auto", ["finished", "finished"], closed=0)
    blocks = re.findall(r"```sh\n(.+?)\n```", page, re.DOTALL)
    lines = [line for block in blocks for line in re.split(r"\n|&&", block)]
    commands = [shlex.split(line, comments=True) for line in lines]
    ours = [words[1:] for words in commands if words[0] in {"lrtui", ".venv/bin/lrtui"}]
    assert ours
    for words in ours:
        assert main(["check", *words] if words[0] not in VERBS else words) == 0, words


def test_readme_starts_the_digits_experiment_first():
    commands = re.findall(r"```sh\n(.+?)\n```", README, re.DOTALL)
    assert commands[0].endswith("lrtui experiments/digits.toml")
    assert "pip install" in commands[0]
    assert "[test]" not in commands[0], "the tools of the tests are not for users"
    assert commands[1] == ".venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest"


def test_ci_runs_the_tests_as_the_readme_does():
    ((install, command),) = re.findall(
        r"^\.venv/bin/pip install (.*) && \.venv/bin/(python -m pytest.*)$", README, re.MULTILINE
    )
    ci = (ROOT / ".ci" / "run").read_text()
    assert f"{install} " in ci
    assert f"    {command} --durations=10\n" in ci


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        name = str(page.relative_to(DOCS))
        assert name in navigation or name.startswith("decisions/"), name
