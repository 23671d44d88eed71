"""Prompt templates: how a concept is asked about, and which tokens answer."""

from __future__ import annotations

from dataclasses import dataclass

from taxonomy.errors import ConfigError, unknown


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """The text after the image prefix and the two answers."""

    name: str
    question: str
    """Holds {phrase}, the concept's asked form ("a parrot", "clothing")."""
    yes: str
    no: str


PROMPTS = {
    prompt.name: prompt
    for prompt in (
        PromptTemplate(
            name="default", question="Is there {phrase} in the image?", yes=" Yes", no=" No"
        ),
        # S1: raw string, a newline between image and question (PROTOCOLS.md, from the code)
        PromptTemplate(
            name="s1", question="\nIs there {phrase} in the image?\n", yes="Yes", no="No"
        ),
    )
}


def prompt_template(name: str) -> PromptTemplate:
    """The template of a name; ConfigError if there is none."""
    if name not in PROMPTS:
        raise ConfigError(unknown("prompt", name, PROMPTS))
    return PROMPTS[name]
