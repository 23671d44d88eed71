"""Image encoders and the feature cache."""
