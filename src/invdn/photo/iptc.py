"""IPTC records as an XMP packet, for formats that have no place for records."""

from collections.abc import Iterator
from html import escape

# from: IPTC Photo Metadata Standard 2023, mapping of IIM to XMP; 2:number -> property, container
_PROPERTIES = {
    5: ("dc:title", "Alt"),
    25: ("dc:subject", "Bag"),
    80: ("dc:creator", "Seq"),
    116: ("dc:rights", "Alt"),
    120: ("dc:description", "Alt"),
    15: ("photoshop:Category", ""),
    40: ("photoshop:Instructions", ""),
    85: ("photoshop:AuthorsPosition", ""),
    90: ("photoshop:City", ""),
    92: ("Iptc4xmpCore:Location", ""),
    95: ("photoshop:State", ""),
    100: ("Iptc4xmpCore:CountryCode", ""),
    101: ("photoshop:Country", ""),
    103: ("photoshop:TransmissionReference", ""),
    105: ("photoshop:Headline", ""),
    110: ("photoshop:Credit", ""),
    115: ("photoshop:Source", ""),
    122: ("photoshop:CaptionWriter", ""),
}
_SPACES = (
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("photoshop", "http://ns.adobe.com/photoshop/1.0/"),
    ("Iptc4xmpCore", "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"),
)
_UTF8 = b"\x1b%G"
_END = b"</rdf:RDF>"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
).encode()


def xmp_with_iptc(iptc: bytes, xmp: bytes | None) -> bytes | None:
    """Return an XMP packet that says what the records say.

    Args:
        iptc: the records; those that XMP has no property for are left out.
        xmp: a packet to add to; what it says already stays as it is.

    Returns:
        The packet, ``xmp`` itself where nothing can be added.

    Example:
        >>> records = bytes((0x1C, 2, 90, 0, 4)) + b"Pecs"
        >>> b"<photoshop:City>Pecs</photoshop:City>" in xmp_with_iptc(records, None)
        True
    """
    found: dict[int, list[str]] = {}
    encoding = "cp1252"
    for record, number, value in _records(iptc):
        if (record, number) == (1, 90) and value.startswith(_UTF8):
            encoding = "utf-8"
        elif record == 2 and number in _PROPERTIES and not _says(xmp, number):
            found.setdefault(number, []).append(_printable(value.decode(encoding, "replace")))
    if not found or (xmp and _END not in xmp):
        return xmp
    spaces = "".join(f' xmlns:{name}="{address}"' for name, address in _SPACES)
    parts = "".join(_property(*_PROPERTIES[number], values) for number, values in found.items())
    addition = f'<rdf:Description rdf:about=""{spaces}>{parts}</rdf:Description>'.encode()
    before, _, after = (xmp or _EMPTY).rpartition(_END)
    return before + addition + _END + after


def _says(xmp: bytes | None, number: int) -> bool:
    return _PROPERTIES[number][0].encode() in (xmp or b"")


def _records(iptc: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, number and value of every data set; a damaged rest is left out."""
    place = 0
    while place + 5 <= len(iptc) and iptc[place] == 0x1C:
        size = int.from_bytes(iptc[place + 3 : place + 5])
        if size & 0x8000:  # longer than 32 kB, which no text is
            return
        yield iptc[place + 1], iptc[place + 2], iptc[place + 5 : place + 5 + size]
        place += 5 + size


def _property(name: str, container: str, values: list[str]) -> str:
    texts = [escape(value) for value in values]
    if not container:
        return f"<{name}>{texts[0]}</{name}>"
    language = ' xml:lang="x-default"' if container == "Alt" else ""
    texts = texts[:1] if container == "Alt" else texts
    items = "".join(f"<rdf:li{language}>{text}</rdf:li>" for text in texts)
    return f"<{name}><rdf:{container}>{items}</rdf:{container}></{name}>"


def _printable(text: str) -> str:
    """Remove the control characters that XML forbids."""
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")
