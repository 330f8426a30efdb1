"""Recipes: what ships, what is refused, and the linear rule."""

from pathlib import Path

import pytest

from invdn.errors import RecipeError
from invdn.training.recipe_files import load_recipe
from invdn.training.schedule import apply_linear_scaling, learning_rate

SHIPPED = ("paper", "official", "paddle", "paddle-4", "default", "fast", "smoke")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_load_and_every_number_is_explained(name: str) -> None:
    assert load_recipe(name).title
    file = Path(__file__).parents[2] / "src/invdn/training/recipes" / f"{name}.toml"
    if name != "smoke":
        for line in file.read_text().splitlines():
            _, equals, value = line.partition("=")
            number = equals and value.strip()[0] in "0123456789[" and '"' not in value
            assert not number or "#" in line, f"{name}: no source for {line!r}"


def test_published_numbers() -> None:
    official, paddle, four = (load_recipe(n) for n in ("official", "paddle", "paddle-4"))
    assert official.phases[0].batch == 28 and official.losses.gradient == 0.1
    assert official.losses.ssim == 1 and official.optimiser.betas == (0.9, 0.999)
    assert paddle.optimiser.betas == (0.9, 0.99) and paddle.losses.ssim == 0
    rates = [learning_rate(four, step) for step in (0, 24_999, 25_000, 125_000, 149_999)]
    assert rates == pytest.approx([8e-4, 8e-4, 4e-4, 2.5e-5, 6.25e-6])


def test_the_linear_rule_leads_from_one_card_to_four() -> None:
    scaled = apply_linear_scaling(load_recipe("paddle", ["hardware.batch_scale=4"])).phases[0]
    four = load_recipe("paddle-4").phases[0]
    assert (scaled.batch, scaled.learning_rate, scaled.steps) == (56, 8e-4, 150_000)
    assert scaled.halve_at == four.halve_at[:5]  # the last two are Paddle's own addition
    assert scaled.batch * scaled.steps == four.batch * four.steps


def test_all_that_counts_steps_is_scaled() -> None:
    overrides = ["phases.0.warm_up=800", "phases.0.decay=4000"]
    before = load_recipe("paper", overrides).phases[0]
    after = apply_linear_scaling(load_recipe("paper", [*overrides, "hardware.batch_scale=2"]))
    phase = after.phases[0]
    assert (phase.warm_up, phase.decay, phase.steps) == (400, 2000, before.steps // 2)
    assert phase.halve_at == tuple(step // 2 for step in before.halve_at)
    assert (phase.batch, phase.learning_rate) == (2 * before.batch, 2 * before.learning_rate)


def test_scaling_twice_is_scaling_once() -> None:
    once = apply_linear_scaling(load_recipe("paper", ["hardware.batch_scale=2"]))
    assert apply_linear_scaling(once) == once


def test_a_broken_batch_is_refused() -> None:
    with pytest.raises(RecipeError, match="not whole"):
        apply_linear_scaling(load_recipe("paper", ["hardware.batch_scale=0.3"]))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seeed=1", "seeed: unknown key"),
        ("phases.0.learningrate=1", r"phases\.0\.learningrate: unknown key"),
        ("phases.0.batch='eight'", r"phases\.0\.batch: .*integer"),
        ("phases.0.batch=0", r"phases\.0\.batch"),
        ("phases.0.crop=30", r"phases\.0\.crop: .*multiple of 4"),
        ("phases.0.warm_up=180", "longer than the phase"),
        ("phases.0.halve_at=[9, 5]", "rise"),
        ("phases.0.halve_at=[400]", "below the"),
        ("phases=[]", "phases"),
        ("phases.3.steps=1", "no place"),
        ("losses={forward=1, backward=0, epsilon=1e-3, cauchy=0.01}", "cauchy needs a weight"),
        ("log.every=30", r"^recipe smoke: log.checkpoint_every \(100\) must .* log.every \(30\)$"),
        ("validation.every=150", "multiple of log.checkpoint_every"),
        ("network.blocks=[]", r"network\.blocks"),
        ("network.blocks=[8, 0]", r"network\.blocks\.1: .*greater"),
        ("optimiser.betas=[0.9, 1]", r"optimiser\.betas\.1: .*less than 1"),
        ("validation.pairs=['a/medium']", "both name 'medium'"),
        ("hardware.precision='fp16'", r"hardware\.precision"),
        ("data.pair_fraction=1.5", r"data\.pair_fraction"),
        ("losses.epsilon=nan", r"losses\.epsilon"),
        ("data.cameras={phone=0, dslr=0}", "camera"),
        ("title.x=1", "no place"),
        ("steps", "key=value"),
    ],
)
def test_a_wrong_recipe_names_the_key(override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe("smoke", [override])


@pytest.mark.parametrize("way", ["recompute", "compile"])
def test_log_scales_need_what_autograd_keeps(way: str) -> None:
    with pytest.raises(RecipeError, match="log_scales works without"):
        load_recipe("smoke", ["losses.log_scales=1e-4", f"hardware.{way}=true"])


@pytest.mark.parametrize("with_", ["compile=true", "recompute=true", "devices=2", "nodes=2"])
def test_one_gpu_s_step_is_recorded_as_it_is(with_: str) -> None:
    with pytest.raises(RecipeError, match="graph records"):
        load_recipe("smoke", ["hardware.graph=true", f"hardware.{with_}"])


def test_a_file_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with pytest.raises(RecipeError, match="paddle-4"):
        load_recipe(str(file))
    file.write_text("title = ")
    with pytest.raises(RecipeError, match="TOML"):
        load_recipe(str(file))
    source = Path(__file__).parents[2] / "src/invdn/training/recipes/paper.toml"
    file.write_text(source.read_text())
    assert load_recipe(str(file)) == load_recipe("paper")


def test_bare_words_and_lists_as_values() -> None:
    recipe = load_recipe("smoke", ["data.root=some/where", 'data.pairs=["a","b"]'])
    assert recipe.data.root == Path("some/where") and recipe.data.pairs == (Path("a"), Path("b"))


def test_phases_follow_each_other() -> None:
    two = load_recipe(
        "smoke",
        [
            "phases=[{steps=10, crop=32, batch=4, learning_rate=1e-3, warm_up=5}, "
            "{steps=20, crop=64, batch=2, learning_rate=2e-4, decay=10}]"
        ],
    )
    assert [two.locate(step) for step in (0, 9, 10, 29, 30)] == [
        (0, 0), (0, 9), (1, 0), (1, 19), (1, 20),
    ]  # fmt: skip
    rates = [learning_rate(two, step) for step in (0, 4, 9, 10, 19, 20, 25, 29)]
    expected = [2e-4, 1e-3, 1e-3, 2e-4, 2e-4, 2e-4, 1e-4, 2e-5]
    assert rates == pytest.approx(expected)


def test_the_decay_ends_at_a_hundredth() -> None:
    """The last steps still learn: they would idle at a thousandth."""
    long = load_recipe(
        "smoke", ["phases=[{steps=2000, crop=32, batch=4, learning_rate=1e-3, decay=1000}]"]
    )
    rates = [learning_rate(long, step) for step in (999, 1000, 1500, 1990, 1995, 1999)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 1e-5, 1e-5, 1e-5])
