"""Contrastive alignment between frozen text features and frozen image features."""
