"""A rectangle of a photograph, in pixels as a viewer shows them."""

from dataclasses import dataclass

from ..errors import InputError
from ..image.orientation import SYMMETRY_OF_ORIENTATION


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels.

    Attributes:
        x: its first column, from 0.
        y: its first row, from 0.
        width: 1 or more.
        height: 1 or more.

    Raises:
        InputError: a number is outside its range.

    Example:
        >>> Region.parse("100,50,640,480")
        Region(x=100, y=50, width=640, height=480)
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1:
            raise InputError(f"a part of a photograph needs x, y >= 0 and a size, not {self}")

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``x,y,width,height``.

        Raises:
            InputError: the text is no such list of whole numbers.
        """
        try:
            x, y, width, height = map(int, text.split(","))
        except ValueError:
            raise InputError(
                f"{text!r} is no part of a photograph: give x,y,width,height in pixels"
            ) from None
        return cls(x, y, width, height)

    def within(self, height: int, width: int) -> tuple[slice, slice]:
        """Return rows and columns in a picture of this size; what lies beyond its edges is cut off.

        Raises:
            InputError: the whole region lies beyond.

        Example:
            >>> Region(4, 0, 10, 2).within(5, 7)
            (slice(0, 2, None), slice(4, 7, None))
        """
        if self.x >= width or self.y >= height:
            raise InputError(
                f"the part begins at {self.x},{self.y} and the photograph has "
                f"{width}x{height} pixels"
            )
        return (
            slice(self.y, min(self.y + self.height, height)),
            slice(self.x, min(self.x + self.width, width)),
        )

    def stored(self, height: int, width: int, orientation: int) -> "Region":
        """Return where the region that a viewer shows lies in the stored picture.

        Args:
            height: rows of the stored picture.
            width: columns of the stored picture.
            orientation: EXIF's, 1 to 8: how a viewer turns the picture.

        Raises:
            InputError: the region lies outside the picture as the viewer shows it.

        Example:
            >>> Region(0, 0, 2, 1).stored(height=5, width=7, orientation=6)  # turned right
            Region(x=0, y=3, width=1, height=2)
        """
        symmetry = SYMMETRY_OF_ORIENTATION.get(orientation, 0)
        columns_back, rows_back, swap = symmetry & 1, symmetry & 2, symmetry & 4
        shown = self.within(width, height) if swap else self.within(height, width)
        rows, columns = reversed(shown) if swap else shown
        if rows_back:
            rows = slice(height - rows.stop, height - rows.start)
        if columns_back:
            columns = slice(width - columns.stop, width - columns.start)
        return Region(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
