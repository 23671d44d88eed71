"""Manifests: which evidence training may see, and every question asked."""
