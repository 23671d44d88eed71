"""Score a trained run again: on another manifest's questions, in other image modes, and checked."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxonomy.errors import DataError, ManifestError
from taxonomy.hashing import content_id
from taxonomy.model import Manifest, Taxonomy
from taxonomy.relations.relation import question_text
from xmodal.features.extract import FeatureSet
from xmodal.files import write_whole
from xmodal.lms.causal import LanguageModel
from xmodal.parquet import read_whole
from xmodal.provenance import command, now, versions
from xmodal.seals import sealed
from xmodal.vlm.evaluate import Scores, one_by_one, sample, score, verify
from xmodal.vlm.forward import Questions, tokenise
from xmodal.vlm.projector import Projector
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.selfcheck import packing
from xmodal.vlm.trainset import Examples, read_examples

FOLDER, RECORD, ANSWERS = "evals", "evaluation.json", "predictions.parquet"
_ANSWER = ("example_id", "logit_yes", "logit_no")


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One scoring, made now or found."""

    evaluation_id: str | None
    """None where the run's own predictions hold it."""
    path: Path
    made: bool
    n_questions: int
    n_verified: int | None = None
    largest_difference: float | None = None
    """In units of max(1, |logit|)."""


@dataclass(frozen=True)
class Evaluator:
    """A trained run, ready to be asked the questions of one manifest."""

    record: Mapping[str, Any]
    """Of the run, as stored."""
    folder: RunFolder
    projector: Projector
    projector_sha256: str
    lm: LanguageModel
    features: FeatureSet
    manifest: Manifest
    examples: Examples
    questions: Questions
    train_images: np.ndarray[Any, Any]
    """Pictures that the run was trained on, whose mean and spread stand in for a picture."""

    @classmethod
    def load(
        cls,
        record: Mapping[str, Any],
        folder: RunFolder,
        lm: LanguageModel,
        features: FeatureSet,
        taxonomy: Taxonomy,
        own: Manifest | None,
        manifest: Manifest,
    ) -> Evaluator:
        """Make it ready.

        Args:
            record: Of the run, as stored.
            folder: Of the run.
            lm: The LM that it was trained with.
            features: Those that it was trained on.
            taxonomy: The dataset.
            own: The run's own manifest; None where it is not known, and then neither are the
                pictures that stand in for a picture.
            manifest: What is asked.

        Raises:
            DataError: The folder lost its projector, or it is damaged.
        """
        projector = folder.load_projector().to(lm.device)
        relation = manifest.config.relation
        examples = read_examples(taxonomy, manifest)
        prompt = prompt_template(record["prompt"], relation, question_text(taxonomy, relation))
        learned = (
            own.examples.filter(pc.field("in_training"))["image_id"] if own is not None else []
        )
        return cls(
            record=record,
            folder=folder,
            projector=projector,
            projector_sha256=_sha256(folder.path / "projector.safetensors"),
            lm=lm,
            features=features,
            manifest=manifest,
            examples=examples,
            questions=tokenise(lm, prompt, examples.phrases, examples.targets),
            train_images=np.unique(np.asarray(learned, dtype=np.int64)),
        )

    def evaluation_id(self, image_mode: str, split: str) -> str:
        """Hash of everything that decides the answers."""
        return content_id(
            {
                "run": self.record["run_id"],
                "projector": self.projector_sha256,
                "manifest": self.manifest.manifest_id,
                "rows": self.manifest.rows_sha256,
                "image_mode": image_mode,
                "split": split,
                "seed": self.record["seed_order"],
            }
        )

    def evaluate(self, image_mode: str, split: str, verified: int | None = None) -> Evaluated:
        """Score one split in one image mode, unless that is there; and check it if asked to.

        Args:
            image_mode: As for score().
            split: train, validation or test.
            verified: Questions that are also asked one by one: 0 for none, None for all.

        Raises:
            ManifestError: No question in the split.
            XmodalError: One by one, a question is answered otherwise; nothing is written then.
        """
        asked = self.examples.take(np.flatnonzero(self.examples.split == split))
        if not len(asked):
            raise ManifestError(
                f"manifest {self.manifest.manifest_id} asks nothing about the {split} split"
            )
        started = time.monotonic()
        found = self._found(image_mode, split, asked)
        n, largest = None, None
        if found is not None:
            evaluated, scores = found
            if verified != 0:
                n, largest = self._verify(scores, asked, image_mode, verified)
            return Evaluated(**{**vars(evaluated), "n_verified": n, "largest_difference": largest})
        scores = score(
            self.lm, self.projector, self.features, self.questions, asked, **self._how(image_mode)
        )
        seconds = time.monotonic() - started
        if verified != 0:
            n, largest = self._verify(scores, asked, image_mode, verified)
        record = self._record(image_mode, split, len(asked), seconds) | {
            "n_verified": n,
            "largest_difference": largest,
        }
        return Evaluated(
            evaluation_id=record["evaluation_id"],
            path=self._write(record, asked, scores),
            made=True,
            n_questions=len(asked),
            n_verified=n,
            largest_difference=largest,
        )

    def _how(self, image_mode: str) -> dict[str, Any]:
        """What is shown, as at the end of training."""
        return {
            "image_mode": image_mode,
            "train_images": self.train_images,
            "seed": self.record["seed_order"],
        }

    def _verify(
        self, scores: Scores, asked: Examples, image_mode: str, n: int | None
    ) -> tuple[int, float]:
        rows = sample(asked, n, self.record["seed_order"])
        alone = one_by_one(
            *(self.lm, self.projector, self.features, self.questions, asked, rows),
            **self._how(image_mode),
        )
        return len(rows), verify(scores, alone, asked, rows, self.lm.dtype)

    def _found(
        self, image_mode: str, split: str, asked: Examples
    ) -> tuple[Evaluated, Scores] | None:
        """The answers that lie there already: the run's own, or of an earlier evaluation."""
        own = self.folder.path / ANSWERS
        if self.manifest.manifest_id == self.record["manifest_id"] and own.is_file():
            table = read_whole(own, ["image_mode", *_ANSWER])
            scores = _scores(table.filter(pc.field("image_mode") == image_mode), asked)
            if scores is not None:
                evaluated = Evaluated(
                    evaluation_id=None, path=own, made=False, n_questions=len(asked)
                )
                return evaluated, scores
        name = self.evaluation_id(image_mode, split)
        folder = self.folder.path / FOLDER / name
        if not ((folder / RECORD).is_file() and (folder / ANSWERS).is_file()):
            return None
        try:
            scores = _scores(read_whole(folder / ANSWERS, _ANSWER), asked)
        except DataError as error:
            raise DataError(f"{error}; delete its folder") from error
        if scores is None:
            return None
        evaluated = Evaluated(evaluation_id=name, path=folder, made=False, n_questions=len(asked))
        return evaluated, scores

    def _record(
        self, image_mode: str, split: str, n_questions: int, seconds: float
    ) -> dict[str, Any]:
        """Every column of evaluation but what the check found; the store holds the same names."""
        n_prefix = self.record["n_prefix_tokens"]
        return {
            "evaluation_id": self.evaluation_id(image_mode, split),
            "run_id": self.record["run_id"],
            "manifest_id": self.manifest.manifest_id,
            "image_mode": image_mode,
            "split": split,
            "seed": self.record["seed_order"],
            "projector_sha256": self.projector_sha256,
            "n_questions": n_questions,
            "packed": packing(self.lm, self.questions, n_prefix).exact,
            "seconds": round(seconds, 3),
            "device": str(self.lm.device),
            "versions_json": json.dumps(versions(), sort_keys=True),
            "command": command(),
            "created_at": now(),
        }

    def _write(self, record: dict[str, Any], asked: Examples, scores: Scores) -> Path:
        """The folder of an evaluation; its record comes last."""
        folder = self.folder.path / FOLDER / str(record["evaluation_id"])
        folder.mkdir(parents=True, exist_ok=True)
        answers = pa.table(
            {
                "example_id": pa.array(asked.example_id, pa.int64()),
                "logit_yes": pa.array(scores.logit_yes, pa.float32()),
                "logit_no": pa.array(scores.logit_no, pa.float32()),
                "predicted": pa.array(scores.predicted, pa.bool_()),
            }
        )
        write_whole(
            folder / ANSWERS, lambda path: pq.write_table(answers, path, compression="zstd")
        )
        text = json.dumps(sealed(record, folder, [ANSWERS]), indent=1)
        write_whole(folder / RECORD, lambda path: path.write_text(text))
        return folder


def _scores(table: pa.Table, asked: Examples) -> Scores | None:
    """The answers to exactly these questions, in their order; None if one is missing."""
    place = pc.index_in(pa.array(asked.example_id, pa.int64()), value_set=table["example_id"])
    if place.null_count:
        return None
    rows = table.take(place)
    return Scores(rows["logit_yes"].to_numpy(), rows["logit_no"].to_numpy())


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
