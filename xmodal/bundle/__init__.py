"""The embedded default: pictures, WordNet nouns and the small LM."""
