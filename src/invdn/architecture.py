"""The hyper-parameters that fix the shape of the network, known to every room."""

from dataclasses import dataclass

_BORDER = 8  # pixels: docs/tiling.md


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one Invertible Denoising Network from another.

    Attributes:
        blocks: coupling blocks of each level; its length is the number of levels.
        features: channels inside the subnets.
        channels: colours of the image.

    The default is the published x4 network (paper, section 4.1; 2,640,960 parameters).

    Raises:
        ValueError: a number is not positive, or there is no level.

    Example:
        >>> published = Architecture()
        >>> published.scale, published.latent_channels
        (4, 45)
    """

    blocks: tuple[int, ...] = (8, 8)
    features: int = 64
    channels: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))  # a list, as JSON has it, will do
        if not self.blocks or min(*self.blocks, self.features, self.channels) < 1:
            raise ValueError(
                f"blocks of every level, features and channels must be 1 or more: {self}"
            )

    @property
    def scale(self) -> int:
        """Factor by which height and width shrink; sizes must be divisible by it."""
        return int(2 ** len(self.blocks))

    @property
    def border(self) -> int:
        """Mirrored pixels that the network sees around an image: 8 or more, divisible by the scale.

        Its convolutions take what lies beyond their input for zeros, which looks like a black
        frame: without a border, saturated colours beside it err by up to 25 of 255.
        """
        return -(-_BORDER // self.scale) * self.scale

    @property
    def latent_channels(self) -> int:
        """Channels of the latent, at the size of the low-resolution image."""
        return self.channels * (self.scale**2 - 1)
