"""Feature sets in the store: replaced as a whole, listed, and brought up from older stores."""

from __future__ import annotations

from pathlib import Path

import duckdb

import sql
from tests.xmodal.store import world
from xmodal.store import Store
from xmodal.store.rows import SkippedImageRow

OLD = (
    "INSERT INTO feature_set VALUES ('f0', 'd1', 'classical', '1', 'output', 'pca', 1, 256, 5, "
    "'float32', 'x', 'features/f0')"
)


def skipped(image: int) -> SkippedImageRow:
    return SkippedImageRow(feature_set_id="f1", image_id=image, uri=f"{image}.png", reason="cut")


def test_what_is_skipped_is_replaced_with_its_set() -> None:
    with Store.in_memory() as store:
        other = skipped(5).model_copy(update={"feature_set_id": "f2"})
        store.add_feature_set(world.feature_set(feature_set_id="f2", n_skipped=1), [other])
        store.add_feature_set(world.feature_set(n_skipped=2), [skipped(1), skipped(2)])
        store.add_feature_set(world.feature_set(n_skipped=1), [skipped(3)])
        rows = store.query("SELECT * FROM skipped_image ORDER BY ALL").to_pylist()
        sets = store.query("SELECT feature_set_id, n_skipped FROM feature_set ORDER BY ALL")
    assert rows == [skipped(3).values(), other.values()]
    assert sets.to_pylist() == [
        {"feature_set_id": "f1", "n_skipped": 1},
        {"feature_set_id": "f2", "n_skipped": 1},
    ]


def test_a_set_of_an_older_store_has_no_weights_and_no_known_training(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE schema_step (name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, "
            "applied_at TIMESTAMP NOT NULL)"
        )
        for name in sql.names("schema")[:2]:
            con.execute(sql.read("schema", name))
            con.execute("INSERT INTO schema_step VALUES ($n, 'x', now()::TIMESTAMP)", {"n": name})
        con.execute(OLD)
    with Store.open(path) as store:
        (row,) = store.query("SELECT * FROM feature_set").to_pylist()
    added = list(row.items())[-7:]
    assert added == [
        ("weights_sha256", None),
        ("side", None),
        ("fit", "own"),
        ("precision", "float32"),
        ("n_training_pictures", 0),
        ("training_sha256", None),
        ("n_skipped", 0),
    ]


def test_the_list_counts_runs() -> None:
    with Store.in_memory() as store:
        # f2 has no run; f1 is of the earlier encoder by name
        store.add_feature_set(world.feature_set(feature_set_id="f2", encoder="vit"))
        store.add_feature_set(world.feature_set())
        store.execute(
            "INSERT INTO run BY NAME SELECT 'r' || i AS run_id, 'f1' AS feature_set_id, '' AS "
            "experiment, '' AS dataset_id, '' AS manifest_id, '' AS lm, '' AS lm_hash, '' AS "
            "lm_init, '' AS encoder, '' AS prompt, '' AS recipe, '{}' AS recipe_json, '' AS "
            "projector, 1 AS n_prefix_tokens, 1 AS seed_init, 1 AS seed_order, 1 AS n_steps, 1 AS "
            "batch_size, 1 AS n_train_questions, 1 AS n_params, 1 AS seconds, '' AS device, '' AS "
            "status, '{}' AS versions_json, '' AS command, '' AS started_at, '' AS content_hash "
            "FROM range(2) AS t(i)",
            {},
        )
        rows = store.analysis("feature-sets").to_pylist()
    got = [(row["feature_set_id"], row["encoder"], row["n_runs"]) for row in rows]
    assert sorted(got) == [("f1", "classical", 2), ("f2", "vit", 0)]
