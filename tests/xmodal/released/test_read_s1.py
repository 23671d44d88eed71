"""The import on committed rows of the release, whole and damaged."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from taxonomy.errors import DataError
from tests.xmodal.released.release import F1, FIXTURE, MAIN, change, copy_to, without_line
from xmodal.released import Imported, read_s1
from xmodal.released.wordings import ablated_categories
from xmodal.store import Store
from xmodal.store.findings import replace_release

RUN = "align-dinov2+500m-things+hyp-abl10cat-42"


@pytest.fixture(scope="module")
def imported() -> Imported:
    return read_s1(FIXTURE)


def rows_of(imported: Imported, run: str, question_set: str) -> dict[str, dict[str, object]]:
    (run_id,) = (row.run_id for row in imported.release.runs if row.run_name == run)
    return {
        row["concept"]: row
        for row in imported.release.scores.to_pylist()
        if (row["run_id"], row["question_set"]) == (run_id, question_set)
    }


def test_scores_are_those_of_the_files(imported: Imported) -> None:
    rows = rows_of(imported, RUN, "held_out_s1")
    assert sorted(rows) == [
        "animal",
        "bird",
        "clothing",
        "container",
        "musical instrument",
        "sea animal",
        "vehicle",
        "women's clothing",
    ]
    clothing = rows["clothing"]  # "item of clothing" in the files
    assert clothing["macro_f1_s1"] == 0.3859312236700303
    assert clothing["blind_f1_s1"] == 0.479539641943734
    assert clothing["n_questions"] == 407
    assert rows["bird"]["blind_f1_s1"] == 1.0


def test_whole_marks_the_ablated_categories_and_nothing_else(imported: Imported) -> None:
    held_out = rows_of(imported, RUN, "held_out_s1")
    assert {c for c, row in held_out.items() if row["whole"]} == {
        "clothing",
        "container",
        "sea animal",
    }
    full = rows_of(imported, "align-dinov2+500m-things-42", "held_out_s1")
    assert all(row["whole"] for row in full.values())
    some = rows_of(imported, "align-dinov2+500m-things+hyp-abl10-42", "held_out_s1")
    assert not any(row["whole"] for row in some.values())
    for question_set in ("seen_s1", "leaf"):
        assert not any(row["whole"] for row in rows_of(imported, RUN, question_set).values())


def test_a_leaf_without_a_count_has_a_score(imported: Imported) -> None:
    rows = rows_of(imported, RUN, "leaf")
    assert rows["scissors"]["n_questions"] is None
    assert rows["scissors"]["macro_f1_s1"] is not None
    assert rows["zucchini"]["n_questions"] is not None


def test_accuracy_is_null_where_no_file_has_it(imported: Imported) -> None:
    assert rows_of(imported, RUN, "seen_s1")["animal"]["accuracy"] is not None
    random = rows_of(imported, f"{RUN}-random", "held_out_s1")
    assert {row["accuracy"] for row in random.values()} == {None}


def test_hypernyms_have_their_wordings_synset_and_depth(imported: Imported) -> None:
    rows = {row["hypernym"]: row for row in imported.release.hypernyms.to_pylist()}
    assert rows["musical instrument"]["released_as"] == "musical | musical instrument"
    assert rows["bird"]["synset"] == "bird.n.01"
    assert rows["bird"]["depth"] == 9
    assert rows["women's clothing"]["depth"] is None


def test_probes_and_coherence(imported: Imported) -> None:
    probes = imported.release.probes.to_pylist()
    assert len(probes) == 16  # 2 LMs x 8 hypernyms, though the file has them for 3 shuffles
    coherence = {
        (row["shuffle"], row["hypernym"]): row for row in imported.release.coherence.to_pylist()
    }
    assert len(coherence) == 24
    assert coherence["none", "animal"]["coherence"] == 0.2051288
    assert coherence["across_s1", "animal"]["coherence"] == 0.090857334
    assert coherence["none", "animal"]["n_images"] == 1741


def test_ablated_categories_are_as_many_as_they_say() -> None:
    assert {n: len(words) for n, words in ablated_categories().items()} == {
        10: 10,
        20: 20,
        30: 30,
        40: 40,
    }


def test_importing_again_leaves_the_same_rows(imported: Imported) -> None:
    tables = ("released_run", "released_score", "released_hypernym", "released_probe", "coherence")
    with Store.in_memory() as store:
        replace_release(store, imported.release)
        first = {t: sorted(map(str, store.query(f"FROM {t}").to_pylist())) for t in tables}
        replace_release(store, read_s1(FIXTURE).release)
        second = {t: sorted(map(str, store.query(f"FROM {t}").to_pylist())) for t in tables}
    assert first == second
    assert [len(first[t]) for t in tables] == [30, 510, 8, 16, 24]


def test_stored_means_are_those_of_the_files(imported: Imported) -> None:
    # mean over 3 seeds of container, clothing, sea animal, as in all_unseen_f1_scores.csv:
    # (.443371 + .556469 + .413953 + .588073 + .385931 + .648135
    #  + .367352 + .478330 + .648135) / 9 = 4.529749 / 9
    with Store.in_memory() as store:
        replace_release(store, imported.release)
        (row,) = store.query(
            "SELECT avg(macro_f1_s1) AS f1, count(*) AS n FROM released_score "
            "JOIN released_run USING (run_id) WHERE whole AND question_set = 'held_out_s1' "
            "AND design = 'systematic' AND lm = 'Qwen3-0.6B' AND lm_init = 'pretrained'"
        ).to_pylist()
    assert row["n"] == 9
    assert row["f1"] == pytest.approx(4.529749 / 9, abs=1e-6)


def test_a_repeated_row_is_dropped_and_counted(tmp_path: Path, imported: Imported) -> None:
    root = copy_to(tmp_path)
    change(root, f"{F1}/all_seen_f1_scores.csv", lambda t: t + t.splitlines()[-1] + "\n")
    again = read_s1(root)
    assert again.n_duplicates == 1
    assert again.release.scores.equals(imported.release.scores)


def test_other_files_are_listed_and_files_without_which_it_goes_are_missed(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    (root / "results" / "evaluation_1.csv").write_text("anything")
    (root / F1 / "all_hyp_guess_f1_scores.csv").unlink()
    (root / "results" / "coherence_backbone.csv").unlink()
    read = read_s1(root)
    assert read.skipped == ["results/evaluation_1.csv"]
    assert read.missing == ["all_hyp_guess_f1_scores.csv", "coherence_backbone.csv"]
    held_out = [r for r in read.release.scores.to_pylist() if r["question_set"] == "held_out_s1"]
    assert {row["blind_f1_s1"] for row in held_out} == {None}
    assert sum(row["whole"] for row in held_out) == 15 * 8 + 9 * 3  # at 100 %, and systematic
    assert read.release.probes.num_rows == 0


def test_another_lm_without_counts_takes_those_of_its_condition(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    text = (root / F1 / "all_unseen_f1_scores.csv").read_text()
    lines = [line for line in text.splitlines() if line.startswith((f"{RUN},", "run_name"))]
    llama = "\n".join(lines).replace("+500m-", "+1b-llama-chat-") + "\n"
    (root / F1 / "llama_unseen_f1_scores.csv").write_text(llama)
    rows = rows_of(read_s1(root), RUN.replace("500m", "1b-llama-chat"), "held_out_s1")
    assert rows["clothing"]["n_questions"] == 407
    assert rows["clothing"]["blind_f1_s1"] == 0.479539641943734


def test_a_swap_of_categories_has_its_hypernyms_and_no_counts(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    (root / F1 / "cat_unseen_f1_scores.csv").write_text(
        "run_name,bird,musical\nalign-dinov2+500m-things-cat-shuffled-7,0.725,0.5\n"
    )
    (root / F1 / "catwise_hyp_guess_f1_scores.csv").write_text(
        "run_name,bird,musical\ntest_hyp_cat_shuffled,0.34,0.35\n"
    )
    read = read_s1(root)
    rows = rows_of(read, "align-dinov2+500m-things-cat-shuffled-7", "held_out_s1")
    assert [(row["n_questions"], row["blind_f1_s1"], row["whole"]) for row in rows.values()] == [
        (None, 0.34, True),
        (None, 0.35, True),
    ]


DAMAGE: dict[str, tuple[str, Callable[[str], str], str]] = {
    "cut in a line": (f"{F1}/all_unseen_f1_scores.csv", lambda t: t[:-40], "cut short"),
    "cut in the last cell": (f"{F1}/all_unseen_f1_scores.csv", lambda t: t[:-4], "cut short"),
    "cut at a comma": (
        f"{F1}/all_leaf_f1_scores.csv",
        lambda t: t[: t.rindex(",")] + "\n",
        "has 5 cells where the header has 6",
    ),
    "columns less": (
        f"{F1}/all_unseen_f1_scores.csv",
        lambda t: "".join(f"{line.rpartition(',')[0]}\n" for line in t.splitlines()),
        "do not have the same columns: 1 are in one of them only, such as 'vehicle'",
    ),
    "leaves less": (
        f"{F1}/all_leaf_f1_scores.csv",
        lambda t: "".join(f"{line.rpartition(',')[0]}\n" for line in t.splitlines()),
        "and the blind guesses do not have the same columns: 1 are",
    ),
    "a run less": (
        f"{F1}/all_unseen_f1_scores.csv",
        without_line(f"{RUN},"),
        f"lacks the run '{RUN}'",
    ),
    "counts of a run less": (
        f"{MAIN}/all_seen_counts.csv",
        without_line(f"{RUN},"),
        f"lacks the run '{RUN}'",
    ),
    "a guess less": (
        f"{F1}/all_hyp_guess_f1_scores.csv",
        without_line("test_hyp_ablated_50pct"),
        "the blind guesses lack held_out_s1",
    ),
    "a word": (f"{MAIN}/all_unseen_counts.csv", lambda t: t.replace(",55,", ",x,"), "got 'x'"),
    "infinity": (f"{MAIN}/all_unseen_counts.csv", lambda t: t.replace(",55,", ",inf,"), "'inf'"),
    "half a question": (
        f"{MAIN}/all_unseen_counts.csv",
        lambda t: t.replace(",55,", ",5.5,"),
        "must be a whole number, got 5.5",
    ),
    "percent": (
        f"{F1}/all_seen_f1_scores.csv",
        lambda t: t.replace(",1.0,", ",100.0,"),
        "must be in [0, 1], got 100",
    ),
    "no questions": (
        f"{MAIN}/all_leaf_counts.csv",
        lambda t: t.replace(",9,", ",0,"),
        "which has 0 questions",
    ),
    "not a number": (
        f"{F1}/all_unseen_f1_scores.csv",
        lambda t: re.sub(r"(?m)^(align-.*?,)[\d.]+,", r"\1NaN,", t, count=1),
        "has 'NaN' as the F1 of 'align-dinov2+1b-things+hyp-abl10cat-218' for 'animal', which has "
        "151 questions: one of the two files is damaged",
    ),
    "an empty cell": (
        f"{F1}/all_unseen_f1_scores.csv",
        lambda t: re.sub(r"(?m)^(align-.*?,)[\d.]+,", r"\1,", t, count=1),
        "has an empty cell as the F1 of 'align-dinov2+1b-things+hyp-abl10cat-218' for 'animal'",
    ),
    "contradiction": (
        f"{F1}/all_unseen_f1_scores.csv",
        lambda t: t + t.splitlines()[-1].rsplit(",", 1)[0] + ",0.123\n",
        "contradict each other",
    ),
    "accuracies": (
        f"{MAIN}/all_unseen_evals.csv",
        lambda t: t.replace(",1.0,", ",0.5,"),
        "weighted by their questions give",
    ),
    "a hypernym": (
        f"{MAIN}/all_unseen_counts.csv",
        lambda t: t.replace("sea animal", "sea monster", 1),
        "unknown hypernym 'sea monster'",
    ),
    "a hypernym under two wordings": (
        f"{MAIN}/all_unseen_counts.csv",
        lambda t: t.replace("vehicle", "clothing", 1),
        "has 'clothing' twice, as 'item of clothing' and as 'clothing'",
    ),
    "a run's name": (
        f"{F1}/all_seen_f1_scores.csv",
        lambda t: t.replace(RUN, f"{RUN}-v2"),
        f"run name '{RUN}-v2' does not parse",
    ),
    "ablated ones": (
        f"{F1}/all_hyp_guess_f1_scores.csv",
        lambda t: t.replace("0.4713541666666667", "1.0"),
        "'container' is one of the 10 ablated categories",
    ),
    "a column twice": (
        f"{MAIN}/all_leaf_counts.csv",
        lambda t: t.replace("zucchini", "bird"),
        "has the column 'bird' twice",
    ),
    "a probe": (
        "results/coherence_backbone.csv",
        lambda t: t.replace("0.9457431060006198", "0.5", 1),
        "two scores for 'animal'",
    ),
    "a coherence": (
        "results/coherence_backbone.csv",
        lambda t: t.replace("0.2051288", "0.3", 1),
        "for the coherence of 'animal' (none)",
    ),
    "a coherence less": (
        f"{MAIN}/visual_coherence_results.csv",
        without_line("shuffled,animal,"),
        "lacks 'animal' for across_s1",
    ),
    "another shuffle": (
        f"{MAIN}/visual_coherence_results.csv",
        lambda t: t.replace("local_shuffled,animal", "shaken,animal"),
        "shuffle_type must be one of original, local_shuffled, shuffled, got 'shaken'",
    ),
    "no rows": (f"{MAIN}/all_leaf_counts.csv", lambda t: t.splitlines()[0] + "\n", "one row"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_refused_whole_and_in_one_line(tmp_path: Path, kind: str) -> None:
    name, edit, line = DAMAGE[kind]
    root = copy_to(tmp_path)
    change(root, name, edit)
    with pytest.raises(DataError) as error:
        read_s1(root)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["all_unseen_counts.csv", "macro-f1s/all_unseen_f1_scores.csv"])
def test_nothing_goes_without_the_core(tmp_path: Path, name: str) -> None:
    root = copy_to(tmp_path)
    (root / MAIN / name).unlink()
    with pytest.raises(DataError, match=f"must hold {Path(name).name}"):
        read_s1(root)


def test_a_folder_that_is_no_clone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it has no folder results"):
        read_s1(tmp_path)
