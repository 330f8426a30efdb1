"""Let mkdocstrings show a docstring's ``Example:`` as code, as it does ``Examples:``."""

import re
from typing import Any

import griffe


class ShowExamples(griffe.Extension):  # type: ignore[misc, unused-ignore]
    """Rename the section while docstrings are collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change one object's docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
