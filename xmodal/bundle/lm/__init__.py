"""The embedded LM: its text corpus, pretraining and text-only examination."""
