"""Names of files as a terminal may see them."""

_JOINER = "\u200d"  # holds the parts of an emoji together


def printable(text: object) -> str:
    """The text in one line, with escapes for what a terminal would obey or cannot show.

    Example:
        >>> printable("two\\nlines, an esc\\x1bape, a byte that is no text: \\udce9")
        'two\\\\nlines, an esc\\\\x1bape, a byte that is no text: \\\\udce9'
        >>> printable("smile 😀.jpg")
        'smile 😀.jpg'
    """
    return "".join(
        character
        if character.isprintable() or character == _JOINER
        else character.encode("unicode_escape").decode()
        for character in str(text)
    )
