"""How leaves and targets are asked, and what that makes of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taxonomy.errors import ConfigError
from taxonomy.manifest import build_manifest
from taxonomy.model import ManifestConfig, Taxonomy
from taxonomy.relations.relation import Relation, add_relations
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.forward import tokenise
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.trainset import read_examples


def test_the_prompts_of_hypernyms_are_what_run_ids_were_made_of() -> None:
    assert prompt_template("default").identity() == {
        "name": "default",
        "question": "Is there {phrase} in the image?",
        "yes": " Yes",
        "no": " No",
    }
    assert prompt_template("s1").identity() == {
        "name": "s1",
        "question": "\nIs there {phrase} in the image?\n",
        "yes": "Yes",
        "no": "No",
    }


@pytest.mark.parametrize(
    ("name", "relation", "given", "text"),
    [
        ("default", "hypernym", None, "Is there a wing in the image?"),
        ("default", "part", None, "Does it have a wing?"),
        ("s1", "part", None, "\nDoes it have a wing?\n"),
        ("default", "shown_with", None, "Is its shown with a wing?"),
        ("default", "habitat", "Does it live in {phrase}?", "Does it live in a wing?"),
        ("s1", "part", "Has it {phrase}?", "\nHas it a wing?\n"),
    ],
)
def test_targets_are_asked_by_their_relation(
    name: str, relation: str, given: str | None, text: str
) -> None:
    prompt = prompt_template(name, relation, given)
    assert prompt.text("a wing", target=True) == text
    assert prompt.text("an owl") == prompt_template(name).question.format(phrase="an owl")


@pytest.fixture
def flying(spec: RunSpec) -> Taxonomy:
    """The tiny dataset, and who flies how; "saw" is a target and a leaf."""
    words = {"wing": "a wing", "saw": "a saw"}
    listed = {
        "leaf/parrot": frozenset(["wing"]),
        "leaf/owl": frozenset(["wing"]),
        "leaf/hen": frozenset(["saw"]),
        "leaf/axe": frozenset(["saw"]),
    }
    return add_relations(spec.taxonomy, [Relation(name="part", phrases=words, listed=listed)])


def test_each_question_is_tokenised_by_what_is_asked(spec: RunSpec, flying: Taxonomy) -> None:
    of = replace(
        spec,
        taxonomy=flying,
        manifest=build_manifest(flying, ManifestConfig(design="none", relation="part")),
    )
    examples = read_examples(flying, of.manifest)
    asked = tokenise(of.lm, of.template, examples.phrases, examples.targets)
    texts = [
        of.lm.tokenizer.decode(tokens[:n].tolist())
        for tokens, n in zip(asked.tokens, asked.lengths.tolist(), strict=True)
    ]
    for row, kind in zip(examples.asked.tolist(), examples.kind.tolist(), strict=True):
        phrase = examples.phrases[row]
        want = (
            f"Does it have {phrase}?" if kind == "hypernym" else f"Is there {phrase} in the image?"
        )
        assert texts[row] == want
    assert {"Does it have a saw?", "Is there a saw in the image?"} <= set(texts)


def test_relation_and_question_make_another_run(spec: RunSpec, flying: Taxonomy) -> None:
    config = ManifestConfig(design="none", relation="part")
    part = replace(spec, taxonomy=flying, manifest=build_manifest(flying, config))
    hypernym = replace(part, manifest=build_manifest(flying, replace(config, relation="hypernym")))
    assert part.template.identity()["target_question"] == "Does it have {phrase}?"
    assert "target_question" not in hypernym.template.identity()
    assert part.run_id != hypernym.run_id


@pytest.fixture(scope="module")
def parts_lm() -> LanguageModel:
    return load_lm("embedded-parts")


def test_the_lm_of_parts_knows_the_words_and_the_other_one_is_refused(
    parts_lm: LanguageModel,
) -> None:
    prompt = prompt_template("default", "part")
    found = tokenise(parts_lm, prompt, ["a wing", "a parrot"], [True, False])
    texts = [
        parts_lm.tokenizer.decode(t[:n]) for t, n in zip(found.tokens, found.lengths, strict=True)
    ]
    assert texts == ["does it have a wing ?", "is there a parrot in the image ?"]
    refused = "lm 'embedded' does not know the words of 'Does it have ...?'; take another LM"
    with pytest.raises(ConfigError, match=refused.replace("?", r"\?").replace(".", r"\.")):
        tokenise(load_lm("embedded"), prompt, ["a wing"], [True])


def test_there_is_no_scrambled_lm_of_parts() -> None:
    with pytest.raises(ConfigError, match="scrambled goes with the lm 'embedded' only"):
        load_lm("embedded-parts", init="scrambled")


def test_random_weights_are_drawn_at_the_scale_of_the_other(parts_lm: LanguageModel) -> None:
    random = load_lm("embedded-parts", init="random", seed=1)
    assert random.random_std == load_lm("embedded", init="random").random_std == 0.32
    assert random.sha256 != parts_lm.sha256
