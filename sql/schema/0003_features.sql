-- Encoders with weights, what they were trained on, and pictures that no encoder can read.

-- Hash of the encoder's weights; NULL without weights and for imported features.
ALTER TABLE feature_set ADD COLUMN weights_sha256 VARCHAR;
-- Width and height of the pictures the encoder saw, pixels; NULL where it is not known.
ALTER TABLE feature_set ADD COLUMN side BIGINT;
-- crop, square, pad, or own: as the encoder has it. precision: what the encoder computed in.
ALTER TABLE feature_set ADD COLUMN fit VARCHAR DEFAULT 'own';
ALTER TABLE feature_set ALTER COLUMN fit SET NOT NULL;
ALTER TABLE feature_set ADD COLUMN precision VARCHAR DEFAULT 'float32';
ALTER TABLE feature_set ALTER COLUMN precision SET NOT NULL;
-- Pictures the encoder is known to have been trained on, and the hash of their hashes;
-- 0 and NULL where none is known.
ALTER TABLE feature_set ADD COLUMN n_training_pictures BIGINT DEFAULT 0;
ALTER TABLE feature_set ALTER COLUMN n_training_pictures SET NOT NULL;
ALTER TABLE feature_set ADD COLUMN training_sha256 VARCHAR;
ALTER TABLE feature_set ADD COLUMN n_skipped BIGINT DEFAULT 0;
ALTER TABLE feature_set ALTER COLUMN n_skipped SET NOT NULL;

-- Grain: a picture that could not be decoded, of a feature set made with --skip-bad. Runs on
-- that set neither train on its questions nor answer them.
CREATE TABLE skipped_image (
    feature_set_id VARCHAR NOT NULL,
    image_id INTEGER NOT NULL,
    uri VARCHAR NOT NULL,
    reason VARCHAR NOT NULL
);
