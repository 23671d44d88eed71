"""Figures and tables from the store."""
