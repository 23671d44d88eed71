"""Loading LMs: what is refused, and with which words."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from taxonomy.errors import ConfigError, DataError
from tests.xmodal import hub
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.vlm.forward import tokenise
from xmodal.vlm.prompts import PROMPTS, PromptTemplate, prompt_template
from xmodal.weights import weights_sha256


@pytest.fixture
def copy(lm_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lm_folder, tmp_path / "lm"))


def test_a_loaded_lm_is_frozen_fp32_and_knows_its_shape(lm: LanguageModel) -> None:
    assert not any(p.requires_grad for p in lm.model.parameters())
    assert not lm.model.training
    assert (lm.width, lm.dtype, lm.device.type) == (16, torch.float32, "cpu")
    weight = lm.model.get_input_embeddings().weight
    assert lm.embedding_rms == pytest.approx(float((weight**2).mean()) ** 0.5)
    assert lm.sha256 == weights_sha256(lm.model)


def test_random_weights_come_from_the_seed_and_are_not_the_folders(
    lm: LanguageModel, lm_folder: Path
) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = load_lm(str(lm_folder), init="random", seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    again = load_lm(str(lm_folder), init="random", seed=1)
    other = load_lm(str(lm_folder), init="random", seed=2)
    assert first.sha256 == again.sha256
    assert len({first.sha256, other.sha256, lm.sha256}) == 3
    assert first.model.config.to_dict() == lm.model.config.to_dict()
    assert not any(p.requires_grad for p in first.model.parameters())


def test_random_weights_need_no_weights_in_the_folder(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert load_lm(str(copy), init="random", seed=1).init == "random"


def test_a_name_that_is_nowhere_is_one_line_and_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(DataError) as caught:
        load_lm("no-such-org/no-such-model")
    text = str(caught.value)
    assert text.startswith(
        "lm 'no-such-org/no-such-model' cannot be loaded as a local folder or hub model: "
    )
    assert "\n" not in text


def test_pickled_weights_are_refused(copy: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"cannot be loaded as a folder: .*model\.safetensors"):
        load_lm(str(copy))


def test_weights_that_are_missing_are_not_drawn_at_random(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"1 of its weights are not there, such as model\.norm"):
        load_lm(str(copy))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_cut_file_is_one_clear_line(copy: Path, name: str) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be loaded as a folder: ") as caught:
        load_lm(str(copy))
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be loaded as a folder: it holds no config\.json"):
        load_lm(str(tmp_path))


def test_scrambled_goes_with_the_embedded_lm_only(lm_folder: Path) -> None:
    with pytest.raises(ConfigError, match="lm_init scrambled goes with the lm 'embedded' only"):
        load_lm(str(lm_folder), init="scrambled")
    with pytest.raises(ConfigError, match="lm_init must be one of pretrained, random, scrambled"):
        load_lm(str(lm_folder), init="trained")


def test_loading_says_nothing(lm_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_lm(str(lm_folder))
    assert capfd.readouterr() == ("", "")


def test_answers_of_byte_level_tokenizers_are_single_tokens(lm: LanguageModel) -> None:
    for prompt in PROMPTS.values():
        yes, no = lm.answer_id(prompt.yes), lm.answer_id(prompt.no)
        assert (lm.tokenizer.decode([yes]), lm.tokenizer.decode([no])) == (prompt.yes, prompt.no)


def test_an_answer_of_several_tokens_is_refused(lm: LanguageModel) -> None:
    prompt = PromptTemplate(name="x", question="{phrase}?", yes=" Certainly", no=" No")
    with pytest.raises(ConfigError, match=r"the answer ' Certainly' must be one token of .*, got "):
        tokenise(lm, prompt, ["a bird"])


def test_questions_are_the_prompts_text_right_padded(lm: LanguageModel) -> None:
    questions = tokenise(lm, prompt_template("s1"), ["an owl", "a piece of jewelry"])
    for row, phrase in enumerate(["an owl", "a piece of jewelry"]):
        n = int(questions.lengths[row])
        text = lm.tokenizer.decode(questions.tokens[row, :n].tolist())
        assert text == f"\nIs there {phrase} in the image?\n"
        assert not questions.tokens[row, n:].any()


def test_an_unknown_prompt_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown prompt 's2'; valid: s1"):
        prompt_template("s2")


def test_the_hash_of_weights_sees_one_bit_and_scalars() -> None:
    module = torch.nn.Linear(2, 2)
    module.register_buffer("scalar", torch.tensor(1.5))
    before = weights_sha256(module)
    with torch.no_grad():
        module.weight[0, 0] = torch.nextafter(module.weight[0, 0], torch.tensor(9.0))
    assert weights_sha256(module) != before


def test_a_hub_model_is_known_by_its_commit(
    lm: LanguageModel, lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "a" * 40, "b" * 40
    for commit in (old, new):
        hub.publish(monkeypatch, tmp_path, "org/tiny", lm_folder, commit)
    latest = load_lm("org/tiny")
    assert (latest.name, latest.revision, latest.sha256) == ("org/tiny", new, lm.sha256)
    assert load_lm("org/tiny", revision=old).revision == old
    assert load_lm("org/tiny", init="random", seed=1).revision == new
    assert lm.revision is None
    with pytest.raises(DataError, match="cannot be loaded as a local folder or hub model"):
        load_lm("org/tiny", revision="c" * 40)


def test_a_folder_has_no_revision(lm_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^revision is for models on the hub, and '.*' is a "):
        load_lm(str(lm_folder), revision="main")
