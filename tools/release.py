"""Check that a tag is the version of everything, and print its section of the changelog.

python tools/release.py v0.2.0
"""

import json
import re
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def notes(tag: str, repository: Path = REPOSITORY) -> str:
    """Return the changelog's section of a version.

    Args:
        tag: ``v`` and the version.
        repository: where ``pyproject.toml``, ``CITATION.cff``, ``CHANGELOG.md`` and
            ``src/browser/package.json`` lie.

    Raises:
        SystemExit: a file says another version, or the changelog has no section of it.
    """
    version = tag.removeprefix("v")
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    citation = re.search(r"^version: (\S+)$", (repository / "CITATION.cff").read_text(), re.M)
    package = json.loads((repository / "src/browser/package.json").read_text())["version"]
    versions = {
        "pyproject.toml": project,
        "CITATION.cff": citation and citation[1],
        "src/browser/package.json": package,
    }
    for name, found in versions.items():
        if found != version:
            raise SystemExit(f"the tag is {tag}, but {name} has the version {found}")
    changelog = (repository / "CHANGELOG.md").read_text()
    section = re.search(
        rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.M | re.S
    )
    if not section or not section[1].strip():
        raise SystemExit(f"CHANGELOG.md has no section of {version}, or an empty one")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(notes(sys.argv[1]))
