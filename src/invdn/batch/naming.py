"""Names of results, made from the names of photographs by a template."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from ..errors import InputError
from ..photo.formats import SUFFIXES

#: Bytes of a name on nearly all file systems.
LONGEST = 255
_FIELDS = {
    "stem": "the photograph's name without its ending",
    "suffix": "the result's ending, with the dot",
    "parent": "the name of the photograph's folder",
    "extension": "the photograph's ending, without the dot",
}


@dataclass(frozen=True)
class NameTemplate:
    """A text like ``{stem}_clean{suffix}``.

    A name depends on its photograph only, and not on the others or the day: so that a second run
    finds what the first one made.

    Attributes:
        text: file name with the fields ``{stem}``, ``{suffix}`` (of the result), ``{parent}`` and
            ``{extension}`` (of the photograph). ``{stem}`` must be there; ``{{`` is a brace.

    Raises:
        InputError: the text is no such template.

    Example:
        >>> NameTemplate("{parent}-{stem}_clean{suffix}").name(Path("rome/IMG_1.tif"), ".jpg")
        'rome-IMG_1_clean.jpg'
        >>> NameTemplate("{stem}{index}.jpg")
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: the name '{stem}{index}.jpg' holds {index}; there are {stem}, \
{suffix}, {parent} and {extension}
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = list(Formatter().parse(self.text))
        except ValueError as error:
            raise InputError(f"the name {self.text!r} is no template: {error}") from error
        fields = [field for _, field, _, _ in parts if field is not None]
        wrong = [field for field in fields if field not in _FIELDS]
        if wrong or any(form or conversion for _, _, form, conversion in parts):
            found = f"{{{wrong[0]}}}" if wrong else "a field with a format"
            raise InputError(
                f"the name {self.text!r} holds {found}; there are {{stem}}, {{suffix}}, {{parent}} "
                "and {extension}"
            )
        if re.search(r"[/\\\0]", self.text):
            raise InputError(
                f"the name {self.text!r} holds a slash or backslash, and it names a file, not a "
                "folder: choose the folder with --output"
            )
        if "stem" not in fields:
            raise InputError(f"the name {self.text!r} lacks {{stem}}: all results would be one")
        if parts[-1][1] != "suffix" and Path(self.text).suffix.lower() not in SUFFIXES:
            raise InputError(
                f"the name {self.text!r} must end in {{suffix}} or in one of {', '.join(SUFFIXES)}"
            )

    @classmethod
    def adding(cls, suffix: str) -> "NameTemplate":
        """The photograph's own name with something added.

        Example:
            >>> NameTemplate.adding("_denoised").name(Path("a.png"), ".png")
            'a_denoised.png'
        """
        return cls("{stem}" + suffix.replace("{", "{{").replace("}", "}}") + "{suffix}")

    def name(self, source: Path, suffix: str, longest: int = LONGEST) -> str:
        """The name of a photograph's result that ends in ``suffix``.

        Where it would be longer than a name may be, the photograph's own part is cut short, and
        eight digits that stand for the whole of it keep it apart from others.

        Args:
            source: the photograph.
            suffix: the result's ending.
            longest: bytes of a name, or fewer where the system's are longer letters.
        """
        parent = source.parent.name or source.absolute().parent.name
        extension = source.suffix.removeprefix(".")
        stem = source.stem
        mark = f"~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
        cut = len(stem)
        while True:
            name = self.text.format(stem=stem, suffix=suffix, parent=parent, extension=extension)
            if len(os.fsencode(name)) <= longest or not cut:
                return name
            cut -= 1
            stem = source.stem[:cut] + mark

    def made(self, name: str) -> bool:
        """Whether a name looks as if this template had made it.

        That can be told of a template that adds something to the end of a name; of any other the
        answer is no.
        """
        added = self.text.removeprefix("{stem}").replace("{suffix}", ".x")
        if added == self.text or "{" in added.replace("{{", ""):
            return False
        ending = Path("a" + added.format()).stem[1:]
        stem = re.sub(r"-[0-9]+$", "", Path(name).stem)  # of several results of one photograph
        return bool(ending) and (stem.endswith(ending) or Path(name).stem.endswith(ending))
