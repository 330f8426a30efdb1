"""Photoshop's image resources, in JPEG and TIFF (Adobe Photoshop File Formats, 2019)."""

_IPTC, _THUMBNAILS = 0x0404, (0x0409, 0x040C)


def read(resources: bytes) -> tuple[bytes | None, bytes, bool]:
    """Take image resources apart.

    Args:
        resources: one behind the other; a damaged rest is left out.

    Returns:
        IPTC records; all other resources but thumbnails; whether there was a thumbnail.

    Example:
        >>> read(b"8BIM" + bytes((4, 4, 0, 0, 0, 0, 0, 2)) + b"hi")
        (b'hi', b'', False)
    """
    iptc, others, thumbnail = None, [], False
    position = 0
    while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
        number = int.from_bytes(resources[position + 4 : position + 6])
        name = (resources[position + 6] + 2) // 2 * 2  # length byte and text, padded to even
        start = position + 6 + name + 4
        size = int.from_bytes(resources[start - 4 : start])
        stop = start + size + size % 2
        if number == _IPTC:
            iptc = iptc or resources[start : start + size]
        elif number in _THUMBNAILS:
            thumbnail = True
        else:
            others.append(resources[position:stop])
        position = stop
    return iptc, b"".join(others), thumbnail
