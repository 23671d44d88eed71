"""A card for the readers of cards: its files, and all of it read."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save

from xmodal.features.config import FeatureConfig
from xmodal.features.pca import PCA, Pca
from xmodal.features.unseen import training_sha256
from xmodal.sharing import config as cards


def card_files(weights: bytes) -> dict[str, bytes]:
    """Files of a card.

    Args:
        weights: Of its projector.
    """
    pca = Pca(torch.zeros(4), torch.ones(4, 3), torch.ones(1))
    manifest = cards.ManifestPart(
        manifest_id="m", rows_sha256="0", design="random", unit="pair", ratio=0.5,
        ratio_realised_cells=0.5, ratio_realised_questions=None, n_held_out_hypernyms=None,
        closure="none", mentions="drop_all", negatives="matched", shuffle="none", seed=1,
        shuffle_seed=None, train_leaf_negatives=1,
    )  # fmt: skip
    features = cards.FeaturesPart(
        feature_set_id="f", sha256="0", config=FeatureConfig(encoder="classical"),
        encoder_version="1", revision="1", weights_sha256=None, side=64, n_tokens=1, width=3,
        pca_sha256=pca.sha256,
    )  # fmt: skip
    prompt = cards.PromptPart(
        name="default", relation="hypernym", question="Is {phrase}?", target_question=None,
        yes=" Yes", no=" No", yes_id=1, no_id=2,
    )  # fmt: skip
    training = cards.TrainingPart(
        recipe="s1", settings={"epochs": 1.0}, seed_init=1, seed_order=1, n_steps=1,
        n_train_questions=1, n_pictures=1, pictures_sha256=training_sha256(["a" * 64]),
        device="cpu", versions={"xmodal": "0"}, git_commit=None,
    )  # fmt: skip
    config = cards.CardConfig(
        format=cards.FORMAT, library_name="xmodal", xmodal_version="0", run_id="r", dataset_id="d",
        projector=cards.ProjectorPart(
            kind="mlp", width_in=3, width_out=5, n_prefix_tokens=2, n_params=1,
            sha256=sha256(weights).hexdigest(),
        ),
        lm=cards.LmPart(name="l", init="pretrained", revision=None, weights_sha256="0"),
        features=features, prompt=prompt, manifest=manifest, training=training,
    )  # fmt: skip
    return {
        cards.CONFIG: json.dumps(asdict(config)).encode(),
        cards.PROJECTOR: weights,
        cards.PICTURES: b"a" * 64 + b"\n",
        PCA: save({name: value.contiguous() for name, value in pca.state().items()}),
    }


def read_card(folder: Path) -> object:
    """All that a card holds."""
    found = cards.read_config(folder)
    weights = cards.checked_projector(folder, found)
    pca = cards.checked_pca(folder, found)
    return weights.name, cards.checked_pictures(folder, found), pca and pca.width, found.card_id
