"""THINGS: its concepts and pictures, and the 53 categories of THINGSplus as hypernyms."""

from taxonomy.sources.things_lists import categories as categories
