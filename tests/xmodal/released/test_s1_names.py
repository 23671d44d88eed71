"""Run names of S1 against names that are put together from known settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import DataError
from xmodal.released.s1_names import Condition, Settings, parse_guess, parse_run

ENCODERS = {"dinov2": "DINOv2", "siglip": "SigLIP", "dinosiglip": "DINOv2+SigLIP"}
LMS = {
    "500m": "Qwen3-0.6B",
    "1b": "Qwen3-1.7B",
    "8b": "Qwen3-8B",
    "1b-llama": "Llama-3.2-1B",
    "1b-llama-chat": "Llama-3.2-1B-Instruct",
}
SHUFFLES = {"": "none", "-shuffled": "across_s1", "-local-shuffled": "within"}
SWAPS = {"-cat-shuffled": "swap", "-cat-sampled": "swap_control"}


@st.composite
def named(draw: st.DrawFn) -> tuple[str, Settings]:
    encoder, lm = draw(st.sampled_from(sorted(ENCODERS))), draw(st.sampled_from(sorted(LMS)))
    seed, random = draw(st.integers(0, 999)), draw(st.booleans())
    swap = draw(st.sampled_from(["", *SWAPS]))
    ablated = "" if swap else draw(st.sampled_from(["", "0", "10", "30", "70", "90", "10cat"]))
    shuffle = swap or draw(st.sampled_from(sorted(SHUFFLES)))
    name = f"align-{encoder}+{lm}-things"
    name += "+hyp" if ablated == "0" else f"+hyp-abl{ablated}" if ablated else ""
    name += f"{shuffle}-{seed}" + ("-random" if random else "")
    said = Settings(
        encoder=ENCODERS[encoder],
        lm=LMS[lm],
        lm_init="random" if random else "pretrained",
        condition=Condition(
            design={"0": "none", "10cat": "systematic"}.get(ablated, "random"),
            n=int(ablated.removesuffix("cat") or 100),
            shuffle={**SHUFFLES, **SWAPS}[shuffle],
        ),
        seed=seed,
    )
    return name, said


@given(named())
def test_a_name_gives_the_settings_it_was_made_of(case: tuple[str, Settings]) -> None:
    name, said = case
    assert parse_run(name) == said


def test_ratio_counts_percent_or_categories() -> None:
    assert Condition("random", 30, "none").ratio == 0.3
    assert Condition("random", 30, "none").n_held_out_hypernyms is None
    assert Condition("systematic", 10, "none").ratio == 10 / 53
    assert Condition("systematic", 10, "none").n_held_out_hypernyms == 10


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("align-dinov2+500m-things+hyp-abl10", "does not parse"),
        ("align-dinov2+500m-things+hyp10-42", "does not parse"),
        ("align-dinov2+500m-things-42-extra", "does not parse"),
        ("align-dinov2+500m-clevr-42", "does not parse"),
        ("finetune-dinov2+500m-things-42", "does not parse"),
        ("align-clip+500m-things-42", "unknown encoder 'clip'; valid: "),
        ("align-dinov2+7b-things-42", "unknown LM '7b'; valid: "),
        ("align-dinov2+1b-things+hyp-abl60cat-42", "it must be 1 to 53"),
        ("align-dinov2+1b-things+hyp-abl00-42", "it must be 1 to 53"),
        ("align-dinov2+1b-things+hyp-abl10-cat-shuffled-42", "it must have one"),
    ],
)
def test_a_name_that_is_not_understood_is_refused_by_name(name: str, line: str) -> None:
    with pytest.raises(DataError) as error:
        parse_run(name)
    assert repr(name) in str(error.value)
    assert line in str(error.value)


@pytest.mark.parametrize(
    ("name", "question_set", "condition"),
    [
        ("test_hyp", "held_out_s1", ("random", 100, "none")),
        ("test_hyp_shuffled", "held_out_s1", ("random", 100, "across_s1")),
        ("test_hyp_ablated_30pct_local_shuffled", "held_out_s1", ("random", 30, "within")),
        ("test_hyp_trained_40cat_shuffled", "seen_s1", ("systematic", 40, "across_s1")),
        ("test_hyp_cat_sampled", "held_out_s1", ("random", 100, "swap_control")),
        ("test", "leaf", ("random", 100, "none")),
        ("test_cat_shuffled", "leaf", ("random", 100, "swap")),
    ],
)
def test_names_of_guesses(name: str, question_set: str, condition: tuple[str, int, str]) -> None:
    assert parse_guess(name) == (question_set, Condition(*condition))


@pytest.mark.parametrize("name", ["test_ablated_10pct", "test_hyp_ablated_10", "train_hyp"])
def test_a_guess_that_is_not_understood_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="does not parse"):
        parse_guess(name)
