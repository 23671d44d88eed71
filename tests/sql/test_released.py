"""Golden numbers of the analyses that hold conditions against each other, on released rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taxonomy.tables import CONCEPT, EDGE, LEAF_HYPERNYM
from tests.sql import released
from tests.sql.golden import rows
from tests.sql.released import run
from tests.xmodal.store import world
from xmodal.store import Store


def approx(*values: float) -> Any:
    return pytest.approx(list(values), abs=1e-12)


def held_out(**f1: float) -> list[released.Score]:
    """held_out_s1 scores that are whole, the blind guess at 0.4."""
    return [("held_out_s1", name, value, 0.4, 10, True) for name, value in f1.items()]


def test_main_results_of_released_runs(store: Store) -> None:
    # bird is whole, gem whole but of one class, tool partly seen; leaf has one F1 a leaf
    one = [
        ("held_out_s1", "bird", 0.8, 0.4, 10, True),
        ("held_out_s1", "gem", 0.5, 1.0, 4, True),
        ("held_out_s1", "tool", 0.6, 0.3, 6, False),
        ("seen_s1", "tool", 0.9, None, 7, False),
        ("leaf", "parrot", 1.0, 0.4, 3, False),
        ("leaf", "saw", 0.5, 1.0, 3, False),
    ]
    two = [(*score[:2], score[2] - 0.2, *score[3:]) for score in one]
    cat = {"design": "systematic", "ratio": 2 / 3, "n_held_out_hypernyms": 2}
    released.add(store, [(run("a", **cat), one), (run("b", seed=7, **cat), two)])
    found = {row["question_set"]: row for row in rows(store, "main-results")}
    assert sorted(found) == ["held_out", "held_out_s1", "leaf", "seen_s1"]
    s1 = found["held_out_s1"]
    # as published, one class or not: (0.8 + 0.5 + 0.6) / 3 and 0.2 less
    assert [s1["macro_f1"], s1["blind_f1"]] == approx(1.9 / 3 - 0.1, 1.7 / 3)
    assert (s1["n_hypernyms"], s1["n_single_class"], s1["n_runs"]) == (3, 2, 2)
    assert (s1["source"], s1["lm"], s1["encoder"], s1["ratio"]) == (
        *("s1", "Qwen3-0.6B", "DINOv2"),
        2 / 3,
    )
    # only bird is held out and has both answers: 0.8 and 0.6
    out = found["held_out"]
    assert [out["macro_f1"], out["blind_f1"]] == approx(0.7, 0.4)
    assert (out["n_hypernyms"], out["n_single_class"], out["averaged_over"]) == (1, 2, "hypernyms")
    # leaves: (1 + 0.5) / 2 and (0.8 + 0.3) / 2; blind (0.4 + 1) / 2
    assert [found["leaf"]["macro_f1"], found["leaf"]["blind_f1"]] == approx(1.3 / 2, 0.7)
    assert (found["leaf"]["averaged_over"], found["leaf"]["n_hypernyms"]) == ("leaves", None)
    # no blind guess was released for seen_s1: nobody knows its classes
    seen = found["seen_s1"]
    assert (seen["blind_f1"], seen["n_single_class"], seen["n_hypernyms"]) == (None, None, 1)
    assert seen["macro_f1"] == pytest.approx(0.8, abs=1e-12)
    (row,) = rows(store, "hypernym-f1", run="b", question_set="held_out_s1")[1:2]
    assert (row["hypernym"], row["source"], row["seed"], row["tp"]) == ("gem", "s1", 7, None)
    assert [row["macro_f1"], row["macro_f1_s1"], row["blind_f1"]] == approx(0.3, 0.3, 1.0)
    (bird, gem) = rows(store, "hypernym-f1", run="a", question_set="held_out")
    assert (bird["macro_f1"], gem["macro_f1"], gem["macro_f1_s1"]) == (0.8, None, 0.5)
    (sets,) = rows(store, "sets")
    got = [sets[n] for n in ("held_out_f1", "held_out_s1_f1", "seen_s1_f1", "leaf_f1")]
    assert got == approx(0.7, 1.9 / 3 - 0.1, 0.8, 0.65)
    assert (sets["seen_f1"], sets["seen_s1_blind_f1"], sets["n_runs"]) == (None, None, 2)
    assert sets["leaf_averaged_over"] == "leaves"


def test_a_hypernym_without_a_blind_guess_is_not_averaged_with_one(store: Store) -> None:
    scores = [
        ("held_out_s1", "bird", 0.8, 0.4, 1, True),
        ("held_out_s1", "gem", 0.6, None, 1, True),
    ]
    released.add(store, [(run("a"), scores)])
    for row in rows(store, "main-results"):
        assert row["macro_f1"] == pytest.approx(0.7, abs=1e-12)
        assert (row["blind_f1"], row["n_single_class"]) == (None, None)
    assert rows(store, "ablation")[0]["blind_f1"] is None
    assert rows(store, "chance-adjusted")[0]["adjusted_f1"] is None


def test_ablation(store: Store) -> None:
    # two runs: bird 0.8 and 0.6 -> 0.7, gem 0.5 -> 0.5, tool 0.3 -> 0.3; mean 0.5, sd 0.2,
    # t with 2 degrees of freedom 4.302653: 0.5 -+ 4.302653 x 0.2 / sqrt(3) = 0.5 -+ 0.496827
    runs = [
        (run("a"), held_out(bird=0.8, gem=0.5, tool=0.3)),
        (run("b", seed=7), held_out(bird=0.6, gem=0.5, tool=0.3)),
        (run("c", ratio=0.5), held_out(bird=0.9)),
    ]
    released.add(store, runs)
    half, full = rows(store, "ablation", question_set="held_out_s1")
    assert [full["macro_f1"], full["sd"], full["blind_f1"]] == approx(0.5, 0.2, 0.4)
    assert [full["low"], full["high"]] == pytest.approx([0.003173, 0.996827], abs=1e-6)
    assert (full["n_hypernyms"], full["n_runs"], full["ratio"]) == (3, 2, 1.0)
    # one hypernym has no spread
    assert (half["macro_f1"], half["low"], half["high"], half["n_hypernyms"]) == (
        *(0.9, None, None),
        1,
    )


def test_pretrained_vs_random(store: Store) -> None:
    # paired: bird 0.9 - 0.5 = 0.4, gem 0.7 - 0.5 = 0.2 -> 0.3, sd 0.2 / sqrt(2) = 0.141421,
    # t with 1 degree 12.706205: 0.3 -+ 12.706205 x 0.1 = 0.3 -+ 1.270620. tool has no partner.
    random = {"lm_init": "random"}
    runs = [
        (run("a"), held_out(bird=0.9, gem=0.7, tool=1.0)),
        (run("b", **random), held_out(bird=0.6, gem=0.5)),
        (run("c", seed=7, **random), held_out(bird=0.4, gem=0.5)),
        (run("d", lm="Qwen3-1.7B"), held_out(bird=0.1)),
        (run("e", ratio=0.5, **random), held_out(bird=0.1)),
    ]
    released.add(store, runs)
    (row,) = rows(store, "pretrained-vs-random", question_set="held_out")
    names = ("pretrained_f1", "other_f1", "difference")
    assert [row[n] for n in names] == approx(0.8, 0.5, 0.3)
    assert [row["low"], row["high"]] == pytest.approx([-0.970620, 1.570620], abs=1e-6)
    assert (row["other_init"], row["n_hypernyms"], row["n_better"]) == ("random", 2, 2)
    assert (row["n_pretrained_runs"], row["n_other_runs"]) == (1, 2)


def test_encoders(store: Store) -> None:
    # SigLIP - DINOv2: bird 0.5 - 0.9 = -0.4, gem 0.7 - 0.7 = 0 -> -0.2, sd 0.282843,
    # 12.706205 x 0.2 = 2.541241
    siglip = {"encoder": "SigLIP"}
    runs = [
        (run("a"), held_out(bird=0.9, gem=0.7, tool=1.0)),
        (run("b", **siglip), held_out(bird=0.5, gem=0.7)),
        (run("c", lm_init="random", **siglip), held_out(bird=0.1)),
    ]
    released.add(store, runs)
    (row,) = rows(store, "encoders", question_set="held_out_s1")
    assert (row["encoder_a"], row["encoder_b"], row["n_hypernyms"]) == ("DINOv2", "SigLIP", 2)
    assert [row["f1_a"], row["f1_b"], row["difference"]] == approx(0.8, 0.6, -0.2)
    assert [row["low"], row["high"]] == pytest.approx([-2.741241, 2.341241], abs=1e-6)


def test_shuffles(store: Store) -> None:
    # within: bird 0.9 - 0.8 = 0.1 and gem 0.4 - 0.7 = -0.3 -> -0.1; its own mean has tool too:
    # (0.9 + 0.4 + 0.2) / 3 = 0.5. swap is held against swap_control: 0.3 - 0.9.
    runs = [
        (run("a"), held_out(bird=0.8, gem=0.7)),
        (run("b", shuffle="within"), held_out(bird=0.9, gem=0.4, tool=0.2)),
        (run("c", shuffle="swap"), held_out(bird=0.3)),
        (run("d", shuffle="swap_control"), held_out(bird=0.9)),
    ]
    released.add(store, runs)
    found = {row["shuffle"]: row for row in rows(store, "shuffles", question_set="held_out")}
    within = found["within"]
    got = [within[n] for n in ("macro_f1", "blind_f1", "reference_f1", "difference")]
    assert got == approx(0.5, 0.4, 0.75, -0.1)
    assert (within["n_hypernyms"], within["n_paired"], within["reference"]) == (3, 2, "none")
    # sd 0.282843 / sqrt(2) = 0.2, times 12.706205
    assert within["high"] == pytest.approx(-0.1 + 2.541241, abs=1e-6)
    none, swap = found["none"], found["swap"]
    assert (none["macro_f1"], none["difference"], none["n_paired"]) == (0.75, None, 0)
    assert (swap["reference"], swap["n_paired"], swap["low"]) == ("swap_control", 1, None)
    assert swap["difference"] == pytest.approx(-0.6, abs=1e-12)


def test_baselines_single_class_and_chance(store: Store) -> None:
    # bird: (0.8 - 0.4) / 0.6 = 2/3; gem: (0.9 - 0.5) / 0.5 = 4/5; tool has one class
    scores = [
        ("held_out_s1", "bird", 0.8, 0.4, 10, True),
        ("held_out_s1", "gem", 0.9, 0.5, 10, True),
        ("held_out_s1", "tool", 0.4, 1.0, 10, True),
    ]
    released.add(store, [(run("a"), scores)])
    out, s1 = rows(store, "baselines")
    assert [out["macro_f1"], out["blind_f1"], out["above_blind"]] == approx(0.85, 0.45, 0.4)
    assert (out["mean_image_f1"], out["above_blindfold"], out["n_runs"]) == (None, None, 1)
    assert [s1["macro_f1"], s1["blind_f1"]] == approx(0.7, 1.9 / 3)
    for row in rows(store, "single-class"):
        assert (row["n_groups"], row["n_single_class"], row["hypernyms"]) == (3, 1, "tool")
        names = ("single_class_ratio", "macro_f1", "blind_f1", "macro_f1_s1", "blind_f1_s1")
        assert [row[n] for n in names] == approx(1 / 3, 0.85, 0.45, 0.7, 1.9 / 3)
    out, s1 = rows(store, "chance-adjusted")
    # of the means: (0.85 - 0.45) / 0.55; S1's set holds tool, whose 1 is no chance level
    assert out["adjusted_f1"] == pytest.approx(0.4 / 0.55, abs=1e-12)
    assert s1["adjusted_f1"] is None
    # the blind guess of tool is 1, so that it has no adjusted score in either set
    assert [out["adjusted_by_hypernym"], s1["adjusted_by_hypernym"]] == approx(11 / 15, 11 / 15)
    assert (out["kappa"], s1["kappa"]) == (None, None)


def test_realised_ratio_of_released_runs(store: Store) -> None:
    scores = [
        ("held_out_s1", "bird", 0.8, 0.4, 30, True),
        ("held_out_s1", "gem", 0.8, 0.4, 20, False),
        ("seen_s1", "gem", 0.8, 0.4, 50, False),
        ("leaf", "saw", 0.8, 0.4, 99, False),
    ]
    runs = [(run("a", ratio=0.1), scores), (run("b", ratio=0.1, seed=7), scores)]
    untold = [("held_out_s1", "bird", 0.8, 0.4, None, True)]
    released.add(store, [*runs, (run("c", ratio=0.3), untold)])
    (row,) = rows(store, "realised-ratio")
    assert (row["ratio_nominal"], row["ratio_test"], row["n_runs"]) == (0.1, 0.5, 2)
    assert (row["n_held_out"], row["n_test"], row["n_about_held_out"]) == (50, 100, 30)
    assert (row["ratio_cells"], row["manifest_id"]) == (None, None)


def test_coherence_and_f1(store: Store) -> None:
    # none: x 0.1, 0.2, 0.4 against y 0.5, 0.5, 0.8. Deviations from 0.7/3 and 0.6: Sxy =
    # 0.1x0.5 + 0.2x0.5 + 0.4x0.8 - 0.7x1.8/3 = 0.05; Sxx = 0.21 - 0.49/3 = 0.14/3; Syy = 0.06
    x = {"bird": 0.1, "gem": 0.2, "tool": 0.4}
    coherences = [released.coherence(name, value) for name, value in x.items()]
    coherences += [released.coherence("bird", 0.3, shuffle="within")]
    coherences += [released.coherence("gem", None, shuffle="within")]
    runs = [
        (run("a"), held_out(bird=0.4, gem=0.5, tool=0.8)),
        (run("b", seed=7), held_out(bird=0.6, gem=0.5, tool=0.8)),
        (run("c", shuffle="within"), held_out(bird=0.5, gem=0.1)),
    ]
    released.add(store, runs, coherences=coherences)
    none, within = rows(store, "coherence")
    assert [none[n] for n in ("coherence", "coherence_min", "coherence_max")] == approx(
        0.7 / 3, 0.1, 0.4
    )
    assert (none["n_hypernyms"], within["n_hypernyms"], within["n_undefined"]) == (3, 1, 1)
    assert none["coherence_other_leaf"] is None
    found = {
        row["shuffle_set"]: row
        for row in rows(store, "coherence-f1")
        if row["question_set"] == "held_out"
    }
    assert sorted(found) == ["all", "none", "within"]
    none = found["none"]
    assert none["slope"] == pytest.approx(0.05 / (0.14 / 3), abs=1e-12)
    assert none["pearson"] == pytest.approx(0.05 / (0.14 / 3 * 0.06) ** 0.5, abs=1e-12)
    # ranks 1, 2, 3 against 1.5, 1.5, 3: 1.5 / sqrt(2 x 1.5)
    assert none["spearman"] == pytest.approx(3**0.5 / 2, abs=1e-12)
    assert (none["n_points"], none["n_other_leaf_points"], none["coherence_encoder"]) == (
        *(3, 0),
        "released",
    )
    assert (found["within"]["pearson"], found["within"]["n_points"]) == (None, 1)
    # pooled: (0.3, 0.5) too; Sxy = 0.62 - 1.0 x 2.3 / 4 = 0.045; Sxx = 0.3 - 0.25 = 0.05
    assert found["all"]["slope"] == pytest.approx(0.9, abs=1e-12)
    assert found["all"]["n_points"] == 4


def test_probe_beside_released_runs(store: Store) -> None:
    probe = {"source": "s1", "dataset": "things-s1", "lm": "Qwen3-0.6B"}
    probes = [
        probe | {"hypernym": "bird", "accuracy": 0.9, "macro_f1": 0.8},
        probe | {"hypernym": "gem", "accuracy": 0.7, "macro_f1": 0.6},
    ]
    runs = [
        (run("a"), held_out(bird=0.4, gem=0.5, tool=0.9)),
        (run("b", lm_init="random"), held_out(bird=0.4)),
    ]
    released.add(store, runs, probes=probes)
    (row,) = rows(store, "probe")
    assert [row["macro_f1"], row["hypernym_accuracy"]] == approx(0.7, 0.8)
    assert (row["lm"], row["n_hypernyms"], row["phrasing"]) == ("Qwen3-0.6B", 2, None)
    _, s1 = rows(store, "probe-vlm")
    # two points, one up and one down
    assert [s1["vlm_f1"], s1["probe_f1"], s1["pearson"]] == approx(0.45, 0.7, -1.0)
    assert (s1["agreement"], s1["n_compared"], s1["n_hypernyms"]) == (None, 0, 2)
    by_hypernym = rows(store, "probe-vlm-hypernym")
    got = [(r["hypernym"], r["vlm_f1"], r["probe_f1"], r["agreement"]) for r in by_hypernym]
    assert got == [("bird", 0.4, 0.8, None), ("gem", 0.5, 0.6, None)] * 2


def test_depth_of_released_hypernyms(store: Store) -> None:
    released_as = {"source": "s1", "released_as": "x"}
    hypernyms = [
        released_as | {"hypernym": "bird", "depth": 9},
        released_as | {"hypernym": "gem", "depth": None},
    ]
    released.add(store, [(run("a"), held_out(bird=0.4, gem=0.5))], hypernyms=hypernyms)
    bird, gem = rows(store, "hypernym-depth", question_set="held_out")
    # no THINGS in this store: no distance
    assert (bird["depth"], bird["distance"], bird["macro_f1"]) == (9, None, 0.4)
    assert (gem["depth"], gem["distance"]) == (None, None)
    of = world.taxonomy()
    store.add_taxonomy(of)
    text = "UPDATE dataset SET source = 'things'"
    with store.transaction():
        store.execute(text, {})
    bird, gem = rows(store, "hypernym-depth", question_set="held_out")
    assert (bird["distance"], bird["n_leaves"], gem["distance"]) == (1.0, 1, 1.0)
    assert (bird["n_on_path"], bird["distance_dataset"]) == (1, "d1")
    # a second one, in which a list says that a ruby is a gem: neither is taken unless chosen
    edges = world.table(EDGE, [(world.PARROT, world.BIRD, "wordnet"), (world.RUBY, world.GEM, "l")])
    store.add_taxonomy(replace(of, dataset_id="d2", edges=edges))
    with store.transaction():
        store.execute(text, {})
    bird, gem = rows(store, "hypernym-depth", question_set="held_out")
    assert (bird["distance"], bird["distance_dataset"], bird["n_leaves"]) == (None, None, None)
    bird, gem = rows(store, "hypernym-depth", question_set="held_out", dataset="d2")
    assert (bird["distance"], bird["distance_dataset"]) == (1.0, "d2")
    assert (gem["distance"], gem["n_on_path"], gem["n_leaves"]) == (None, 0, 1)
    bird, gem = rows(store, "hypernym-depth", question_set="held_out", dataset="d1")
    assert (gem["distance"], gem["distance_dataset"]) == (1.0, "d1")


def test_depth_of_own_hypernyms(store: Store) -> None:
    # edges: parrot -> inner -> bird and parrot -> bird; ruby -> inner -> bird. Least steps: 1 and
    # 2 -> 1.5. saw is a bird by the list alone: in n_leaves, not in the mean. A second word for
    # a parrot stands under it: no step of its own -> (1 + 2 + 1) / 3.
    concepts = world.taxonomy().concepts.to_pylist()
    concepts[world.BIRD]["depth"] = 9
    poll = concepts[world.PARROT] | {"concept_id": 7, "key": "leaf/poll", "name": "poll"}
    inner = concepts[world.TOOL] | {"concept_id": 6, "key": "synset/inner", "name": "inner"}
    bird, parrot, ruby, saw = world.BIRD, world.PARROT, world.RUBY, world.SAW
    edges = [(parrot, 6), (6, bird), (parrot, bird), (ruby, 6), (7, parrot)]
    of = world.taxonomy()
    pairs = [(leaf, bird, True, None, True, "hypernym") for leaf in (parrot, ruby, saw, 7)]
    pairs += [(saw, world.GEM, True, None, False, "hypernym")]
    store.add_taxonomy(
        replace(
            of,
            concepts=released.rows(CONCEPT, [*concepts, inner, poll]),
            edges=world.table(
                EDGE, [*((a, b, "wordnet") for a, b in edges), (saw, bird, "everyday")]
            ),
            leaf_hypernym=world.table(LEAF_HYPERNYM, pairs),
        )
    )
    asked = world.manifest(
        [(1, parrot, bird, True, "held_out"), (2, ruby, bird, False, "held_out")]
    )
    store.add_manifest(asked)
    released.add_own(store, "a", asked, [(1, True), (2, False)])
    (row,) = rows(store, "hypernym-depth")
    assert row["distance"] == pytest.approx(4 / 3, abs=1e-12)
    assert (row["hypernym"], row["depth"], row["n_on_path"], row["n_leaves"]) == ("bird", 9, 3, 4)
    assert row["distance_dataset"] == "d1"
    assert row["macro_f1"] == 1.0
    assert rows(store, "hypernym-depth", question_set="seen") == []
