"""Projector training between a frozen image encoder and a frozen LM."""
