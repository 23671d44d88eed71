"""A manifest from chat files alone: what they do not say is derived, counted and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.interchange.labels import read_labels
from taxonomy.interchange.llava import QUESTION, SIDECAR
from taxonomy.interchange.matching import Asked, Images, Phrases
from taxonomy.interchange.reading import Turn
from taxonomy.manifest.build import summarise
from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.mentions import Training, hypernyms_with_yes, question_held_out
from taxonomy.manifest.questions import TRAIN, Questions, asked_ids, example_ids
from taxonomy.manifest.rows import cell_table, example_table, label_table, rows_sha256
from taxonomy.manifest.shuffle import DROPPED, IDENTITY, MOVED, STAYED, Labels
from taxonomy.manifest.world import World
from taxonomy.model import IMPORTED, SPLITS, Manifest, ManifestConfig, Taxonomy, manifest_id


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The turns of the files as arrays, T of them, and what they may ask."""

    turns: Sequence[Turn]
    asked: Sequence[Asked]
    image: Ints
    """Row of the image in the world."""
    split: Ints
    answer: Bools


def infer_manifest(
    taxonomy: Taxonomy,
    world: World,
    turns: Sequence[Turn],
    *,
    aliases: Mapping[str, str],
    seed: int = 0,
    hypernym_question: str = QUESTION,
    relation: str = "hypernym",
    allow_outside: bool = False,
) -> Manifest:
    """The manifest that chat files show, of design imported.

    A true cell is held out if no training question asks it. A false one that no training
    question asks may be held out or never drawn. Where whole leaves or hypernyms are left out,
    it is held out with its hypernym, or with its leaf if that has hypernyms; where single true
    cells are left out, it is held out, for training knows as little of it. The labels of a
    leaf's pictures are read off its Yes.

    Args:
        taxonomy: The dataset.
        world: Its arrays for the relation.
        turns: Every question of the files.
        aliases: Other wordings of hypernyms.
        seed: The seed that the files were drawn with, as far as it is known.
        hypernym_question: How targets of the relation are asked about.
        relation: What hypernym questions ask.
        allow_outside: Look at pictures outside the chat files' folders too.

    Raises:
        DataError: A question or image is none of the dataset's, an image is in two splits,
            or the answers contradict each other.
    """
    fitted = set(world.image_ids[world.image_split == TRAIN].tolist())
    images = Images(taxonomy, allow_outside=allow_outside)
    phrases = Phrases(world, aliases, hypernym_question)
    shown, world = _shown(taxonomy, world, turns, phrases, images)
    label_of, n_homonyms = read_labels(world, shown.image, shown.answer, shown.asked, turns)
    questions, said = _questions(world, shown, label_of)
    world, counts = _with_told_cells(world, questions, label_of)
    labels = _labels(world, label_of)
    ids = example_ids(
        world,
        labels.shuffle_id,
        questions.image,
        asked_ids(world, questions.about_hypernym, questions.asked),
    )
    questions = replace(questions, example_id=ids)
    held_out = _held_out(world, questions)
    held = held_out.cells
    in_training = world.image_split[questions.image] == TRAIN
    config = _config(world, questions, labels, held_out, seed, relation)
    in_cell = question_held_out(questions, held)
    taught = hypernyms_with_yes(world, questions, in_training)
    cells, label_rows = cell_table(world, held), label_table(world, labels)
    examples = example_table(world, questions, in_cell, in_training, taught)
    rows = rows_sha256(cells, label_rows, examples)
    nothing = np.empty(0, dtype=np.int64)
    training = Training(
        in_training=in_training, added_image=nothing, added_asked=nothing, missing=0
    )
    counts |= {
        "n_turns": len(turns),
        **said,
        "n_homonyms": n_homonyms,
        "by_pair": held_out.by_pair,
        "n_images_trained_by_dataset": len(
            fitted & set(world.image_ids[world.image_split != TRAIN].tolist())
        ),
        "n_false_cells_untold": held_out.n_untold,
    }
    summary = _as_known(summarise(world, config, labels, held, questions, training), world, held)
    return Manifest(
        manifest_id=manifest_id(world.dataset_id, config, rows),
        dataset_id=world.dataset_id,
        config=config,
        shuffle_id=labels.shuffle_id,
        cells=cells,
        labels=label_rows,
        examples=examples,
        rows_sha256=rows,
        summary={**summary, "imported": counts, "imported_line": _line(config, counts)},
    )


def _as_known(summary: dict[str, Any], world: World, held: Bools) -> dict[str, Any]:
    """The counts without those that need the training questions which were taken out.

    The files do not have them, so that shares of training questions, and of those of all splits,
    are known only where nothing is held out or every cell is.
    """
    name, by_split = "ratio_realised_questions", "ratio_realised_questions_by_split"
    whole = bool(held.any()) and bool(held[world.cells].all())
    share = 1.0 if whole else 0.0 if not held.any() else None
    return {
        **summary,
        name: share,
        by_split: {**summary[by_split], SPLITS[TRAIN]: share},
        "n_training_leaf_questions_dropped": None,
    }


def _shown(
    taxonomy: Taxonomy, world: World, turns: Sequence[Turn], phrases: Phrases, images: Images
) -> tuple[Shown, World]:
    """The turns as arrays, and the world with the files' images and splits for its own."""
    ids = np.array([images.find(turn) for turn in turns], dtype=np.int64)
    split = np.array([SPLITS.index(turn.split) for turn in turns], dtype=np.int64)
    asked = [phrases.asked(turn) for turn in turns]
    used, first, row = np.unique(ids, return_index=True, return_inverse=True)
    clash = np.flatnonzero(split != split[first][row])
    if len(clash):
        one, two = turns[first[row[clash[0]]]], turns[clash[0]]
        raise DataError(
            f"{two.where}: image {two.image!r} is in {two.split} here and in {one.split} in "
            f"{one.where}; no image may be in two splits"
        )
    owner = dict(
        zip(
            taxonomy.images["image_id"].to_pylist(),
            taxonomy.images["concept_id"].to_pylist(),
            strict=True,
        )
    )
    leaf_row = {int(concept): row for row, concept in enumerate(world.leaves.ids)}
    leaf = np.array([leaf_row.get(owner[image], -1) for image in used.tolist()], dtype=np.int64)
    if (leaf < 0).any():
        turn = turns[first[np.flatnonzero(leaf < 0)[0]]]
        raise DataError(f"{turn.where}: image {turn.image!r} shows no leaf of the dataset")
    answer = np.array([turn.answer for turn in turns], dtype=np.bool_)
    shown = Shown(turns=turns, asked=asked, image=row, split=split, answer=answer)
    own = replace(world, image_ids=used, image_leaf=leaf, image_split=split[first])
    return shown, own


def _questions(world: World, shown: Shown, label_of: Ints) -> tuple[Questions, dict[str, int]]:
    """What each turn asks, once each, by image and asked concept; and counts.

    n_repeated: turns that repeat one. n_kind_unsure: questions that may be about a leaf or about
    a hypernym of that word, of which the files ask one only.
    """
    found: dict[tuple[int, bool, int], bool] = {}
    unsure: dict[tuple[int, bool, int], list[tuple[bool, int]]] = {}
    n_repeated = 0
    rows = zip(shown.turns, shown.asked, shown.image.tolist(), strict=True)
    for turn, asked, image in rows:
        label = int(label_of[world.image_leaf[image]])
        options = _options(world, asked, label, turn.answer)
        if not options:
            raise DataError(
                f"{turn.where}: {turn.question!r} is answered No about an image that carries "
                f"the label {world.leaves.words[label]!r} elsewhere"
            )
        free = [option for option in options if (image, *option) not in found]
        key = (image, *(free or options)[0])
        unsure[key] = [option for option in options if option[0] != key[1]]
        if not free:
            n_repeated += 1
            if found[key] != turn.answer:
                raise DataError(
                    f"{turn.where}: {turn.question!r} is answered Yes and No about one image"
                )
        found[key] = turn.answer
    keys = np.array([(image, about, row) for image, about, row in found], dtype=np.int64)
    image, about, asked_row = keys[:, 0], keys[:, 1].astype(np.bool_), keys[:, 2]
    answer = np.array(list(found.values()), dtype=np.bool_)
    concept = asked_ids(world, about, asked_row)
    order = np.lexsort((concept, world.image_ids[image]))
    image = image[order]
    questions = Questions(
        example_id=concept[order],
        image=image,
        label=label_of[world.image_leaf[image]],
        about_hypernym=about[order],
        asked=asked_row[order],
        answer=answer[order],
        shortfall={},
    )
    n_unsure = sum(
        any((key[0], *other) not in found for other in others) for key, others in unsure.items()
    )
    return questions, {"n_repeated": n_repeated, "n_kind_unsure": n_unsure}


def _options(world: World, asked: Asked, label: int, answer: bool) -> list[tuple[bool, int]]:
    """What a question may ask, the likeliest first: (about a hypernym, row)."""
    hypernyms = [(True, row) for row in sorted(asked.hypernyms)]
    if answer:
        own = [(False, label)] if label in asked.leaves else []
        # a leaf that is under a hypernym of its own word is asked the same text twice
        return own + [option for option in hypernyms if not own or world.used[label, option[1]]]
    others = [(False, row) for row in sorted(asked.leaves - {label})]
    return hypernyms + others


def _with_told_cells(
    world: World, questions: Questions, label_of: Ints
) -> tuple[World, dict[str, Any]]:
    """The world with the answers of the files, and only the leaves that are somebody's label."""
    about = questions.about_hypernym
    told = {}
    for answer in (True, False):
        told[answer] = np.zeros_like(world.used)
        which = about & (questions.answer == answer)
        told[answer][questions.label[which], questions.asked[which]] = True
    both = np.argwhere(told[True] & told[False])
    if len(both):
        leaf, hypernym = both[0]
        raise DataError(
            f"the files answer both Yes and No to {world.hypernyms.words[hypernym]!r} about "
            f"images with the label {world.leaves.words[leaf]!r}; a cell has one answer"
        )
    present = np.zeros(len(world.leaves), dtype=np.bool_)
    present[label_of[label_of >= 0]] = True
    used = (world.used & ~told[False] | told[True]) & present[:, None]
    false = (world.false & ~told[True] | told[False]) & present[:, None]
    counts = {
        "n_cells_outside": int(((told[True] | told[False]) & ~world.cells).sum()),
        "n_cells_answered_otherwise": int(
            ((told[True] & world.false) | (told[False] & world.used)).sum()
        ),
    }
    return replace(world, used=used, false=false), counts


def _labels(world: World, label_of: Ints) -> Labels:
    """The shuffle that the labels are, named by what it does."""
    own = np.arange(len(label_of), dtype=np.int64)
    moved = np.flatnonzero((label_of >= 0) & (label_of != own))
    kept = IDENTITY if not len(moved) else STAYED
    status = np.where(label_of < 0, DROPPED, np.where(label_of == own, kept, MOVED))
    shuffle_id = "none"
    if len(moved):
        keys = world.leaves.keys
        shuffle_id = content_id(
            {"kind": IMPORTED, "labels": [[keys[leaf], keys[label_of[leaf]]] for leaf in moved]}
        )
    return Labels(shuffle_id=shuffle_id, draw_id=shuffle_id, label_of=label_of, status=status)


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What training leaves out."""

    cells: Bools
    """bool [L, H]."""
    by_pair: bool
    """Most true cells left out are single ones: training asks their leaf and their hypernym."""
    n_untold: int
    """False cells that training never asks and that count as kept."""


def _held_out(world: World, questions: Questions) -> HeldOut:
    trained = np.zeros_like(world.used)
    which = questions.about_hypernym & (world.image_split[questions.image] == TRAIN)
    trained[questions.label[which], questions.asked[which]] = True
    # a leaf without hypernyms is in no Yes, so that its absence says nothing
    no_leaf = world.used.any(axis=1, keepdims=True) & ~trained.any(axis=1, keepdims=True)
    untaught = no_leaf | ~trained.any(axis=0, keepdims=True)
    true, false = world.used & ~trained, world.false & ~trained
    by_pair = bool(2 * (true & ~untaught).sum() > true.sum())
    cells = true | (false if by_pair else false & untaught)
    return HeldOut(cells=cells, by_pair=by_pair, n_untold=int((false & ~cells).sum()))


def _config(
    world: World,
    questions: Questions,
    labels: Labels,
    held_out: HeldOut,
    seed: int,
    relation: str,
) -> ManifestConfig:
    """The settings of a manifest of these rows, as far as rows can tell."""
    held = held_out.cells
    about, split = questions.about_hypernym, world.image_split[questions.image]
    whole = (held | ~world.cells).all(axis=1)
    some = (held & world.used).any(axis=1)
    by_leaf = (
        not held_out.by_pair
        and some.any()
        and (whole | ~some).all()
        and not held[world.cells].all()
    )
    train = about & (split == TRAIN)
    with_yes = np.unique(questions.asked[train & questions.answer])
    no_only = np.setdiff1d(questions.asked[train], with_yes)
    tested = about & (split != TRAIN)
    n_yes, n_no = (
        np.bincount(questions.asked[tested & (questions.answer == answer)], minlength=len(held.T))
        for answer in (True, False)
    )
    leaf_no = ~about & (split == TRAIN) & ~questions.answer
    most = int(np.bincount(questions.image[leaf_no]).max()) if leaf_no.any() else 1
    kind = _shuffle_kind(world, labels)
    return ManifestConfig(
        design=IMPORTED,
        unit="leaf" if by_leaf else "pair",
        ratio=float((held & world.used).sum()) / max(1, int(world.used.sum())),
        mentions="keep" if len(no_only) else "drop_all",
        negatives="matched" if (n_yes == n_no).all() else "image",
        shuffle=kind,
        seed=seed,
        shuffle_seed=None if kind == "none" else seed,
        train_leaf_negatives=max(1, most),
        relation=relation,
    )


def _shuffle_kind(world: World, labels: Labels) -> str:
    moved = np.flatnonzero(labels.status == MOVED)
    if not len(moved):
        return "none"
    truth = world.claimed
    of_image, of_label = truth[moved], truth[labels.label_of[moved]]
    if (of_image == of_label).all():
        return "within"
    return "across_s1" if (of_image & of_label).any() else "across"


def _line(config: ManifestConfig, counts: Mapping[str, Any]) -> str:
    false = "all false ones" if counts["by_pair"] else "the false ones of leaves and hypernyms"
    return (
        f"imported without {SIDECAR}: unit {config.unit}, mentions {config.mentions}, negatives "
        f"{config.negatives} and shuffle {config.shuffle} are read off the questions, seed "
        f"{config.seed} is as given; held out are the true cells and {false} that training never "
        f"asks, {counts['n_false_cells_untold']} other false cells that it never asks count as "
        f"kept; nominal is the share of the true cells; repeated questions "
        f"{counts['n_repeated']}, questions whose word is a leaf's and a hypernym's and that may "
        f"be of the other kind {counts['n_kind_unsure']} (Yes is taken for the leaf, No for the "
        f"hypernym), cells outside the dataset's {counts['n_cells_outside']}, "
        f"answered otherwise {counts['n_cells_answered_otherwise']}, leaves of one word that "
        f"could not be told apart {counts['n_homonyms']}, images that are not for training here "
        f"but in the dataset's split {counts['n_images_trained_by_dataset']}"
    )
