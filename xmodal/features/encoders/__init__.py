"""Image encoders: the package's own, and any that transformers can load."""
