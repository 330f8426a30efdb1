"""The architecture is read from names and shapes, and every fault is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invdn.architecture import Architecture
from invdn.errors import WeightsError
from invdn.weights.parameters import (
    haar_kernels,
    infer_architecture,
    official_order,
    tensor_shapes,
)

PUBLISHED = tensor_shapes(Architecture())

architectures = st.builds(
    Architecture,
    blocks=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    features=st.integers(1, 70),
    channels=st.integers(1, 4),
)


@given(architectures, st.booleans())
def test_inference_inverts_the_layout(architecture: Architecture, with_kernels: bool) -> None:
    shapes = tensor_shapes(architecture)
    if with_kernels:
        shapes |= {name: kernel.shape for name, kernel in haar_kernels(architecture).items()}
    assert infer_architecture(shapes) == architecture


def test_published_layout_matches_the_network() -> None:
    torch = pytest.importorskip("torch")
    from invdn.network import InvDN

    with torch.device("meta"):
        state = InvDN().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == PUBLISHED
    assert list(state) == list(PUBLISHED)


def test_official_order_counts_layers() -> None:
    names = ["operations.10.b", "operations.9.haar_weights", "operations.10.a", "operations.2.c"]
    assert official_order(names) == [
        "operations.2.c",
        "operations.9.haar_weights",
        "operations.10.b",
        "operations.10.a",
    ]


def test_missing_unexpected_and_misshaped_tensors_are_named() -> None:
    shapes = dict(PUBLISHED)
    del shapes["operations.3.F.conv1.bias"]
    shapes["operations.3.F.conv4.bias"] = (3,)
    shapes["operations.5.H.conv2.weight"] = (64, 64, 5, 5)
    with pytest.raises(WeightsError) as caught:
        infer_architecture(shapes)
    message = str(caught.value)
    assert "1 missing: operations.3.F.conv1.bias" in message
    assert "1 unexpected: operations.3.F.conv4.bias" in message
    assert "operations.5.H.conv2.weight (64, 64, 5, 5) instead of (64, 64, 3, 3)" in message


@pytest.mark.parametrize("with_kernels", [True, False])
def test_a_missing_block_is_not_taken_for_a_level(with_kernels: bool) -> None:
    shapes = {name: s for name, s in PUBLISHED.items() if not name.startswith("operations.4.")}
    if with_kernels:
        kernels = haar_kernels(Architecture())
        shapes |= {name: kernel.shape for name, kernel in kernels.items()}
    with pytest.raises(WeightsError, match=r"18 missing: operations\.4"):
        infer_architecture(shapes)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({}, "another network: 0 tensors"),
        ({"conv.weight": (8, 3, 3, 3)}, r"another network: 1 tensors \(conv.weight \(8, 3, 3, 3\)"),
        ({"operations.1.G.conv1.weight": (64, 3)}, "another network"),
        ({"operations.1.G.conv1.weight": (0, 3, 3, 3)}, "has the shape"),
        ({"operations.0.G.conv1.weight": (64, 3, 3, 3)}, "not numbered"),
        ({"operations.9999.G.conv1.weight": (64, 3, 3, 3)}, "not numbered"),
        ({"operations.1.G.conv1.weight": (64, 3, 3, 3)}, "17 missing"),
        ({"operations.1.G.conv1.weight": (64, 3, 3, 3), "operations.5.haar_weights": ()}, "number"),
    ],
)
def test_strangers_are_told_apart(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        infer_architecture(shapes)


def test_more_levels_than_any_photograph_allows() -> None:
    with pytest.raises(WeightsError, match="not numbered"):
        infer_architecture(tensor_shapes(Architecture(blocks=(1,) * 9, features=1)))
