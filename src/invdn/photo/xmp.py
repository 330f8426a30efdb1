"""Edit XMP packets in place: every byte that an edit does not concern stays as it was.

An XML writer would choose prefixes, quotes and white space anew, and other programs' packets would
come out changed throughout. So the parser (expat) only tells where elements lie, and edits
replace ranges of bytes.

Sources: XMP Specification parts 1 to 3 (ISO 16684-1), Ultra HDR Image Format 1.1 and Motion Photo
Format 1.0 (developer.android.com), Adobe gain map specification.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from html import escape
from xml.parsers import expat

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_ITEM = "http://ns.google.com/photos/1.0/container/item/"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
_APPLE_GAIN_MAP = "http://ns.apple.com/HDRGainMap/1.0/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_MEDIA = "http://ns.adobe.com/xap/1.0/mm/"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
).encode()
_LARGEST = 1 << 25  # bytes; a packet that is larger is left alone
_DEEPEST = 100
_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")

#: Local names of the item's semantics, by the kind of attachment that they name.
SEMANTICS = {"gain map": "GainMap", "video": "MotionPhoto", "depth map": "DepthMap"}


@dataclass(slots=True)
class _Element:
    """Where an element lies.

    Attributes:
        name: namespace and local name.
        start: of its start tag.
        inside: end of its start tag.
        end: behind its end tag.
        attributes: values by namespace and local name.
        prefixes: namespace to prefix in force, the element's own declarations included.
        children: elements below it.
        text: characters directly in it.
    """

    name: tuple[str, str]
    start: int
    inside: int
    end: int = 0
    attributes: dict[tuple[str, str], str] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    children: list["_Element"] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator["_Element"]:
        """Iterate over the element and everything below it, in order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += reversed(element.children)


_Edit = tuple[int, int, bytes]


def promises(packet: bytes | None) -> frozenset[str]:
    """Return which attachments a packet says that the file holds.

    Returns:
        Of ``"gain map"``, ``"video"``, ``"depth map"``.

    Example:
        >>> promises(None)
        frozenset()
    """
    root = _parsed(packet)
    if root is None:
        return frozenset()
    found = set()
    for element in root.walk():
        names = {element.name, *element.attributes}
        if any(name[0] in (_GAIN_MAP, _APPLE_GAIN_MAP) for name in names):
            found.add("gain map")
        if any(_is_video(name) for name in names):
            found.add("video")
        semantic = _property(element, _ITEM, "Semantic")
        found.update(kind for kind, name in SEMANTICS.items() if semantic == name)
    return frozenset(found)


def directory(packet: bytes | None) -> tuple[tuple[str, int], ...]:
    """Return what a packet lists behind the picture: kind of attachment and its length in bytes.

    Kinds that are not known are empty, a length that is missing is 0.

    Example:
        >>> directory(None)
        ()
    """
    root = _parsed(packet)
    if root is None:
        return ()
    kinds = {name: kind for kind, name in SEMANTICS.items()}
    found = []
    for listed in (e for e in root.walk() if e.name == (_CONTAINER, "Directory")):
        for item in (e for e in listed.walk() if e.name == (_RDF, "li")):
            semantic = _semantic(item)
            if semantic and semantic != "Primary":
                lengths = (_property(part, _ITEM, "Length") for part in item.walk())
                length = next((text for text in lengths if text and text.isdecimal()), "0")
                found.append((kinds.get(semantic, ""), int(length[:18])))
    return tuple(found)


def without_promises(packet: bytes | None, kinds: Iterable[str]) -> bytes | None:
    """Remove what says that the file holds attachments of some kinds.

    Args:
        packet: the packet; damaged ones come back unchanged.
        kinds: of ``"gain map"``, ``"video"``, ``"depth map"``.

    Example:
        >>> packet = with_event(None, "edited", "A program", "")
        >>> without_promises(packet, ["video"]) == packet
        True
    """
    root = _parsed(packet)
    kinds = set(kinds)
    if packet is None or root is None or not kinds:
        return packet

    def unwanted(name: tuple[str, str]) -> bool:
        if "gain map" in kinds and name[0] in (_GAIN_MAP, _APPLE_GAIN_MAP):
            return True
        return "video" in kinds and _is_video(name)

    edits = _removals(packet, root, unwanted)
    semantics = {SEMANTICS[kind] for kind in kinds if kind in SEMANTICS}
    for directory in root.walk():
        if directory.name != (_CONTAINER, "Directory"):
            continue
        items = [e for e in directory.walk() if e.name == (_RDF, "li")]
        gone = [item for item in items if _semantic(item) in semantics]
        if gone and len(items) - len(gone) <= 1:  # nothing but the picture itself
            gone = [directory]
        edits += [(item.start, item.end, b"") for item in gone]
    return _edited(packet, edits)


def with_lengths(
    packet: bytes | None, lengths: Sequence[tuple[str, int]], video_from_end: int | None
) -> bytes | None:
    """Correct the lengths of attachments that a packet tells.

    Args:
        packet: the packet; damaged ones come back unchanged.
        lengths: kind and bytes of every attachment in the order of the file.
        video_from_end: bytes from the start of the video to the end of the file.

    Example:
        >>> with_lengths(None, [("gain map", 100)], None) is None
        True
    """
    root = _parsed(packet)
    if packet is None or root is None:
        return packet
    edits: list[_Edit] = []
    waiting: dict[str, list[int]] = {}
    for kind, length in lengths:
        if kind in SEMANTICS:
            waiting.setdefault(SEMANTICS[kind], []).append(length)
    for element in root.walk():
        if element.name == (_RDF, "li") and (known := waiting.get(_semantic(element) or "")):
            edits += _changed(packet, element, (_ITEM, "Length"), str(known.pop(0)))
        if video_from_end is not None and element.name != (_RDF, "li"):
            place = (_CAMERA, "MicroVideoOffset")
            edits += _changed(packet, element, place, str(video_from_end), deep=False)
    return _edited(packet, edits)


def with_gain_map(packet: bytes | None, length: int) -> bytes | None:
    """Say that the file of a JPEG holds a gain map behind the picture.

    Args:
        packet: the packet, ``None`` for a new one; damaged ones come back unchanged.
        length: bytes of the gain map.

    Example:
        >>> sorted(promises(with_gain_map(None, 100)))
        ['gain map']
    """
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{semantic}" '
        f'Item:Mime="image/jpeg"{attribute}/></rdf:li>'
        for semantic, attribute in (("Primary", ""), ("GainMap", f' Item:Length="{length}"'))
    )
    return _with_description(
        packet,
        f'xmlns:Container="{_CONTAINER}" xmlns:Item="{_ITEM}" xmlns:hdrgm="{_GAIN_MAP}" '
        'hdrgm:Version="1.0"',
        f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>",
    )


def without_thumbnails(packet: bytes | None) -> bytes | None:
    """Remove embedded thumbnails, which show what the picture was before.

    Example:
        >>> without_thumbnails(b"no packet")
        b'no packet'
    """
    root = _parsed(packet)
    if packet is None or root is None:
        return packet
    return _edited(packet, _removals(packet, root, lambda name: name == (_XMP, "Thumbnails")))


def with_event(packet: bytes | None, action: str, agent: str, parameters: str) -> bytes | None:
    """Add an event to the history that a packet tells.

    Args:
        packet: the packet, ``None`` for a new one; damaged ones come back unchanged.
        action: what was done, ``"edited"`` as a rule.
        agent: which program did it.
        parameters: how, for people.

    Example:
        >>> packet = with_event(None, "edited", "A program 1.0", "denoised")
        >>> agents(packet)
        ('A program 1.0',)
    """
    packet = packet or _EMPTY
    root = _parsed(packet)
    if root is None:
        return packet
    said = " ".join(
        f'stEvt:{name}="{escape(value)}"'
        for name, value in (
            ("action", action),
            ("softwareAgent", agent),
            ("parameters", parameters),
        )
        if value
    )
    event = f'<rdf:li xmlns:rdf="{_RDF}" xmlns:stEvt="{_EVENT}" {said}/>'
    for history in (e for e in root.walk() if e.name == (_MEDIA, "History")):
        for events in history.children:
            if events.name == (_RDF, "Seq") and events.inside < events.end:
                place = _end_tag(packet, events)
                return _edited(packet, [(place, place, event.encode())])
    added = f"<xmpMM:History><rdf:Seq>{event}</rdf:Seq></xmpMM:History>"
    return _with_description(packet, f'xmlns:xmpMM="{_MEDIA}"', added) or packet


def agents(packet: bytes | None) -> tuple[str, ...]:
    """Return the programs that the history names, oldest first."""
    root = _parsed(packet)
    if root is None:
        return ()
    found = (
        _property(event, _EVENT, "softwareAgent")
        for history in root.walk()
        if history.name == (_MEDIA, "History")
        for event in history.walk()
        if event.name == (_RDF, "li")
    )
    return tuple(agent for agent in found if agent)


def _with_description(packet: bytes | None, attributes: str, inner: str) -> bytes | None:
    """Return the packet with properties more, of the subject that it speaks of."""
    packet = packet or _EMPTY
    root = _parsed(packet)
    for body in (e for e in root.walk() if e.name == (_RDF, "RDF")) if root else ():
        subjects = [e.attributes.get((_RDF, "about"), "") for e in body.children]
        about = escape(subjects[0] if subjects else "")
        description = (
            f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{about}" {attributes}>'
            f"{inner}</rdf:Description>"
        )
        if body.inside == body.end:  # <rdf:RDF .../>
            return packet
        place = _end_tag(packet, body)
        return _edited(packet, [(place, place, description.encode())])
    return packet


def _is_video(name: tuple[str, str]) -> bool:
    return name[0] == _CAMERA and name[1].startswith(("MotionPhoto", "MicroVideo"))


def _semantic(item: _Element) -> str | None:
    """Return what a directory's item is: attribute or element, in a struct of its own or not."""
    values = (_property(element, _ITEM, "Semantic") for element in item.walk())
    return next((value for value in values if value), None)


def _property(element: _Element, space: str, name: str) -> str | None:
    if (value := element.attributes.get((space, name))) is not None:
        return value
    return next((c.text.strip() for c in element.children if c.name == (space, name)), None)


def _changed(
    packet: bytes, element: _Element, name: tuple[str, str], value: str, *, deep: bool = True
) -> list[_Edit]:
    """Return edits that give a property, attribute or element, another value."""
    edits = []
    for part in element.walk() if deep else (element,):
        if name in part.attributes:
            start, stop = _attribute(packet, part, name)
            text = packet[start:stop]
            quote = text.rstrip()[-1:]
            changed = text.partition(b"=")[0] + b"=" + quote + value.encode() + quote
            edits.append((start, stop, changed))
        elif part.name == name and part.inside < part.end:
            edits.append((part.inside, _end_tag(packet, part), value.encode()))
    return edits


def _removals(
    packet: bytes, root: _Element, unwanted: Callable[[tuple[str, str]], bool]
) -> list[_Edit]:
    edits: list[_Edit] = []
    for element in root.walk():
        if unwanted(element.name):
            edits.append((element.start, element.end, b""))
        else:
            edits += [
                (*_attribute(packet, element, name), b"")
                for name in element.attributes
                if unwanted(name)
            ]
    return edits


def _attribute(packet: bytes, element: _Element, name: tuple[str, str]) -> tuple[int, int]:
    """Find where an attribute lies, with the white space before it; empty where it is not there."""
    prefix = element.prefixes.get(name[0], "")
    label = re.escape(f"{prefix}:{name[1]}".encode())
    tag = packet[element.start : element.inside]
    found = re.search(rb"\s" + label + rb"""\s*=\s*("[^"]*"|'[^']*')""", tag)
    if not found:
        return element.inside, element.inside
    return element.start + found.start(), element.start + found.end()


def _end_tag(packet: bytes, element: _Element) -> int:
    """Return where the end tag starts."""
    return packet.rindex(b"</", element.start, element.end)


def _edited(packet: bytes, edits: list[_Edit]) -> bytes:
    """Replace ranges of the packet; what lies within a removed range is not touched twice."""
    result, place = [], 0
    for start, stop, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < place or (start == stop and not new):
            continue
        result += [packet[place:start], new]
        place = stop
    return b"".join((*result, packet[place:]))


@lru_cache(maxsize=1)  # one packet is asked many things
def _parsed(packet: bytes | None) -> _Element | None:
    """Return the tree of a packet; ``None`` where it is none, damaged or too large."""
    if not packet or len(packet) > _LARGEST:
        return None
    lead = len(packet) - len(packet.lstrip(b"\0 \t\r\n"))
    body = packet[lead:].rstrip(b"\0")
    parser = expat.ParserCreate(namespace_separator="\n")
    parser.namespace_prefixes = True
    root = _Element(("", ""), 0, 0)
    stack = [root]

    @cache
    def split(name: str) -> tuple[tuple[str, str], str]:
        """Return namespace, local name, and prefix."""
        parts = name.split("\n")
        if len(parts) == 1:
            return ("", name), ""
        return (parts[0], parts[1]), parts[2] if len(parts) > 2 else ""

    def start(label: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise ValueError("too deep")
        above = stack[-1].prefixes
        name, prefix = split(label)
        prefixes = above if above.get(name[0]) == prefix else {**above, name[0]: prefix}
        named = {}
        for key, value in attributes.items():
            other, prefix = split(key)
            named[other] = value
            if prefixes.get(other[0]) != prefix:
                prefixes = {**prefixes, other[0]: prefix}
        at = parser.CurrentByteIndex
        element = _Element(name, lead + at, lead + _tag_end(body, at), 0, named, prefixes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        element = stack.pop()
        at = lead + parser.CurrentByteIndex
        # <empty/> ends where it starts
        element.end = packet.index(b">", at) + 1 if packet[at : at + 2] == b"</" else element.inside

    def text(data: str) -> None:
        stack[-1].text += data

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    with suppress(expat.ExpatError, ValueError):
        parser.Parse(body, True)
        return root
    return None


def _tag_end(body: bytes, start: int) -> int:
    """Return where the tag that starts here ends; a ``>`` in a value does not end it."""
    found = _TAG.match(body, start)
    if not found:
        raise ValueError("no tag")
    return found.end()
