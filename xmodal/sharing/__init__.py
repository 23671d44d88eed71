"""Trained projectors on their way to others, and two stores side by side."""
