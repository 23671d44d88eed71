-- Probes with what tells their settings apart: a hash of settings_json but for what has a column
-- or says only which rows there are.
-- Grain: probe_id. subject: run_id and step, or the LM; probes of one subject, kind and settings
-- differ by their seed and in which object counts and layers they look at.
CREATE OR REPLACE VIEW binding_look AS
SELECT
    * EXCLUDE (settings_json, seconds, device, versions_json, command, content_hash),
    md5(json_merge_patch(
        settings_json::JSON,
        '{"run": null, "run_id": null, "run_weights": null, "objects": null, "step": null, "lm": null, "lm_revision": null,
            "lm_hash": null, "vlm_lm": null, "is_vlm": null, "pair_id": null, "context": null,
            "vocabulary": null, "n_layers": null, "n_examples": null, "as_published": null,
            "seed": null, "n_objects": null, "layers": null, "device": null, "threads": null,
            "rows": null, "batch": null, "batch_size": null}'::JSON
    )::VARCHAR) AS settings,
    to_json({
        'run': run_id,
        'step': step,
        'lm': lm,
        'revision': lm_revision,
        'hash': lm_hash,
        'vlm': is_vlm
    })::VARCHAR AS subject
FROM binding_probe;
