"""A trained projector asked about a picture of one's own: what `xmodal ask` and the server do."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import RELATION, Taxonomy
from taxonomy.phrases import phrase
from taxonomy.relations.relation import question_text
from xmodal.evaluations import lm_of
from xmodal.features.extract import load_features
from xmodal.features.new_pictures import NewPictures
from xmodal.features.pictures import picture_of
from xmodal.jobs import features_dir, runs_dir
from xmodal.lms.causal import LanguageModel
from xmodal.store import Store
from xmodal.vlm.forward import answer_logits, tokenise
from xmodal.vlm.projector import Projector
from xmodal.vlm.prompts import PromptTemplate, prompt_template
from xmodal.vlm.run_folder import RunFolder

if TYPE_CHECKING:
    from PIL import Image

MOST_CONCEPTS = 100
"""Concepts a picture is asked about at once."""
LONGEST_CONCEPT = 80
"""Characters of a concept."""
_AT_A_TIME = 64
"""Questions a forward pass."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run says to one question about a picture."""

    concept: str
    question: str
    """As it was put, without what stands before it."""
    logit_yes: float
    logit_no: float
    note: str
    """What to know before believing it; often empty."""

    @property
    def margin(self) -> float:
        """logit_yes - logit_no, above 0 for Yes."""
        return self.logit_yes - self.logit_no

    @property
    def p_yes(self) -> float:
        """Probability of Yes against No alone, 0 to 1."""
        # either way round without overflow
        if self.margin >= 0:
            return 1 / (1 + math.exp(-self.margin))
        return 1 - 1 / (1 + math.exp(self.margin))


@dataclass(frozen=True)
class _Known:
    """How the dataset asks for a concept."""

    phrase: str
    is_target: bool


@dataclass(frozen=True)
class Asker:
    """A trained run, kept in memory to be asked about pictures. Threads may share it."""

    record: Mapping[str, Any]
    """Of the run, as stored."""
    lm: LanguageModel
    projector: Projector
    pictures: NewPictures
    prompt: PromptTemplate
    known: Mapping[str, _Known]
    """By name: leaves of the dataset, and hypernyms or other targets that the run is asked."""
    defaults: tuple[str, ...]
    """What is asked where nothing is named: the dataset's hypernyms or other targets."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def load(cls, store: Path, run_id: str) -> Asker:
        """Read what a run was trained with.

        Args:
            store: The DuckDB file; run folders and features lie beside it. Closed again before
                anything large is read.
            run_id: Of a run, or its beginning.

        Raises:
            ConfigError: The run's device is not here, or its features were imported.
            DataError: LM, encoder, features or projector are not those of the run.
            StoreError: No such run.
        """
        with Store.open(store, read_only=True) as opened:
            record = opened.load_run(run_id)
            taxonomy = opened.load_taxonomy(record["dataset_id"])
            given = {"id": record["manifest_id"], "set": record["feature_set_id"]}
            (said,) = opened.query(
                "SELECT relation, (SELECT sha256 FROM feature_set WHERE feature_set_id = $set) "
                "AS sha256 FROM manifest WHERE manifest_id = $id",
                given,
            ).to_pylist()
        features = load_features(features_dir(store) / str(record["feature_set_id"]))
        if features.sha256 != said["sha256"]:
            raise DataError(
                f"{features.path} holds other features than run {record['run_id']} was trained "
                "on; bring the old ones back"
            )
        folder = RunFolder(runs_dir(store) / record["run_id"])
        projector = folder.load_projector()
        lm = lm_of(record)
        relation = said["relation"]
        known, defaults = _concepts(taxonomy, relation)
        return cls(
            record=record,
            lm=lm,
            projector=projector.to(lm.device),
            pictures=NewPictures.load(taxonomy, features, str(record["device"]).split(":")[0]),
            prompt=prompt_template(record["prompt"], relation, question_text(taxonomy, relation)),
            known=known,
            defaults=defaults,
        )

    def ask(self, image: Image.Image, concepts: Sequence[str] = ()) -> list[Answer]:
        """Ask whether each concept is in a picture.

        Args:
            image: Of any mode with 8 bits a channel.
            concepts: Names; the dataset's hypernyms (or other targets) if there are none. What the
                dataset does not know is asked as written, with an article by the usual rules.

        Returns:
            One answer a concept, in their order; each concept once.

        Raises:
            ConfigError: Too many concepts, or one that is empty or too long.
        """
        names = _checked(concepts) or list(self.defaults)
        with self._lock, torch.no_grad():
            prefix = self.projector(self.pictures.encode(image).to(self.lm.device))
            asked = [self._known(name) for name in names]
            logits = [
                pair
                for start in range(0, len(asked), _AT_A_TIME)
                for pair in self._logits(prefix, asked[start : start + _AT_A_TIME])
            ]
            return [
                Answer(
                    concept=name,
                    question=self._text(one).strip(),
                    logit_yes=yes,
                    logit_no=no,
                    note=self._note(name, one),
                )
                for name, one, (yes, no) in zip(names, asked, logits, strict=True)
            ]

    def _logits(self, prefix: torch.Tensor, asked: Sequence[_Known]) -> list[tuple[float, float]]:
        """Logits of Yes and No; prefix is [1, K, Dl]."""
        questions = tokenise(
            self.lm, self.prompt, [one.phrase for one in asked], [one.is_target for one in asked]
        )
        logits = answer_logits(
            self.lm,
            prefix,
            questions,
            torch.zeros(len(asked), dtype=torch.int64),
            torch.arange(len(asked)),
            packed=False,
        )
        pairs = logits[:, [questions.yes_id, questions.no_id]].float().cpu().tolist()
        return [(float(yes), float(no)) for yes, no in pairs]

    def _known(self, name: str) -> _Known:
        found = self.known.get(name) or self.known.get(name.casefold())
        return found or _Known(phrase(name), is_target=False)

    def _text(self, one: _Known) -> str:
        return self.prompt.text(one.phrase, target=one.is_target)

    def _note(self, name: str, one: _Known) -> str:
        notes = []
        if name not in self.known and name.casefold() not in self.known:
            notes.append("not in the dataset: asked as written")
        unknown_id = self.lm.tokenizer.unk_token_id
        if unknown_id is not None and unknown_id in self.lm.token_ids(self._text(one)):
            notes.append("the LM does not know a word of it")
        return "; ".join(notes)


def answer_table(answers: Sequence[Answer]) -> pa.Table:
    """concept, p_yes, margin, logit_yes, logit_no, note; as they come."""
    names = ("concept", "p_yes", "margin", "logit_yes", "logit_no", "note")
    return pa.table({name: [getattr(one, name) for one in answers] for name in names})


def read_picture_file(path: Path) -> Image.Image:
    """A user's own picture.

    Raises:
        DataError: It is missing, or cannot be decoded, or has too many pixels.
    """
    from taxonomy.sources.picture_files import PictureError, read_picture_bytes

    try:
        return picture_of(read_picture_bytes(path), str(path))
    except PictureError as error:
        raise DataError(f"picture {path} cannot be read: {error}") from error


def _checked(concepts: Sequence[str]) -> list[str]:
    """Each concept once, without the white space around it.

    Raises:
        ConfigError: Too many, or one that is empty or too long.
    """
    names = list(dict.fromkeys(" ".join(concept.split()) for concept in concepts))
    if len(names) > MOST_CONCEPTS:
        raise ConfigError(f"at most {MOST_CONCEPTS} concepts at once, got {len(names)}")
    for name in names:
        if not 0 < len(name) <= LONGEST_CONCEPT or not name.isprintable():
            shown = name if len(name) <= LONGEST_CONCEPT else f"{name[:LONGEST_CONCEPT]}..."
            raise ConfigError(
                f"a concept must have 1 to {LONGEST_CONCEPT} printable characters, got {shown!r}"
            )
    return names


def _concepts(taxonomy: Taxonomy, relation: str) -> tuple[dict[str, _Known], tuple[str, ...]]:
    """How each concept is asked for by its name, and the names of the targets that are asked."""
    rows = taxonomy.concepts.select(["name", "phrase", "role", "dropped"]).to_pylist()
    # a word may be leaf and target: under the relation hypernym both are asked alike
    order = {relation: 0, "leaf": 1, RELATION: 2, "inner": 3}
    known: dict[str, _Known] = {}
    for row in sorted(rows, key=lambda row: order.get(row["role"], len(order))):
        if row["role"] in order:
            known.setdefault(row["name"], _Known(row["phrase"], row["role"] == relation))
    targets = {row["name"] for row in rows if row["role"] == relation and not row["dropped"]}
    return known, tuple(sorted(targets))
