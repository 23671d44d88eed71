-- What each run answered to its own manifest's questions, whenever it was asked: at the end of its
-- training, or by a later evaluation in another image mode or on another split.
-- Grain: run_id, image_mode, example_id; sync lets no evaluation answer what the run has answered.
CREATE OR REPLACE VIEW answered AS
SELECT run_id, image_mode, example_id, logit_yes, logit_no, predicted
FROM prediction
UNION ALL
SELECT
    evaluation.run_id,
    evaluation.image_mode,
    said.example_id,
    said.logit_yes,
    said.logit_no,
    said.predicted
FROM evaluation_prediction AS said
JOIN evaluation USING (evaluation_id)
JOIN run USING (run_id, manifest_id);
