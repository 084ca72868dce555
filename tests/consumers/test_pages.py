# SPDX-License-Identifier: MIT
"""What the pages of the project name is there: tests, scripts, folders, headings that are linked to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "scripts").rglob("*.md")), *sorted((ROOT / "infer").glob("*.md"))]


def prose(page: Path) -> str:
    """The page without its blocks of code, which name files of the reader's."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchor(heading: str) -> str:
    """As the places that show Markdown make it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), f"{page.name} links to {target}, which is not there"
        if heading:
            headings = re.findall(r"^#+ (.*)$", prose(linked), re.M)
            assert heading in map(anchor, headings), f"{page.name} links to {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_and_paths_exist(page):
    for name in re.findall(r"`([^`\s]+)`", prose(page)):
        if re.fullmatch(r"(test|threads|fuzz)_\w+", name):
            assert (ROOT / "tests" / f"{name}.c").exists(), f"{page.name} names {name}, which is no test"
        elif re.fullmatch(r"(tests|scripts)/[\w./]+", name) and "NAME" not in name:
            assert (ROOT / name).exists(), f"{page.name} names {name}, which is not there"


def test_targets_of_fuzzing_are_counted():
    (number,) = re.findall(r"the\s+(\d+)\s+targets\s+of\s+`tests/fuzz`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert int(number) == len(list((ROOT / "tests/fuzz").glob("fuzz_*.c")))


def test_every_test_of_trust_stands_behind_a_promise():
    """A test that SECURITY.md does not name is one that nobody finds who asks what holds a promise."""
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for test in sorted((ROOT / "tests").glob("test_trust_*.c")):
        assert f"`{test.stem}`" in page, f"SECURITY.md names no {test.stem}"
