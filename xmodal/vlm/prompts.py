"""Prompt templates: how a concept is asked about, and which tokens answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from taxonomy.errors import ConfigError, unknown
from taxonomy.model import RELATION

ASKS = {
    RELATION: "Is there {phrase} in the image?",
    "part": "Does it have {phrase}?",
}
"""What is asked of a target, by relation; a dataset's own table may say otherwise."""
OTHER = "Is its {relation} {phrase}?"
"""What is asked where nobody says it: a relation read as a noun, such as colour or habitat."""


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """The text after the image prefix and the two answers."""

    name: str
    question: str
    """Holds {phrase}, the concept's asked form ("a parrot", "clothing")."""
    yes: str
    no: str
    target_question: str | None = None
    """The same for a target of another relation than hypernym; None for question."""

    def identity(self) -> dict[str, Any]:
        """The settings that a run's id is made of; what came later only where it is set."""
        settings = asdict(self)
        return {k: v for k, v in settings.items() if k != "target_question" or v is not None}

    def text(self, phrase: str, *, target: bool = False) -> str:
        """The question about a concept, or about a target of the template's relation."""
        asked = self.target_question if target and self.target_question else self.question
        return asked.format(phrase=phrase)


PROMPTS = {
    prompt.name: prompt
    for prompt in (
        PromptTemplate(name="default", question=ASKS[RELATION], yes=" Yes", no=" No"),
        # S1: raw string, a newline between image and question (from its released code)
        PromptTemplate(name="s1", question=f"\n{ASKS[RELATION]}\n", yes="Yes", no="No"),
    )
}


def prompt_template(
    name: str, relation: str = RELATION, question: str | None = None
) -> PromptTemplate:
    """The template of a name.

    Args:
        name: default or s1.
        relation: Of the manifest that is asked. Leaf questions are the same for all; targets of
            another relation than hypernym are asked by that relation's text in the same frame.
        question: The text that the dataset gave for the relation, with {phrase}; ASKS or else
            OTHER if None.

    Raises:
        ConfigError: There is no such template.
    """
    if name not in PROMPTS:
        raise ConfigError(unknown("prompt", name, PROMPTS))
    prompt = PROMPTS[name]
    if relation == RELATION:
        return prompt
    noun = " ".join(relation.replace("_", " ").split())
    asked = question or ASKS.get(relation) or OTHER.replace("{relation}", noun)
    return replace(prompt, target_question=prompt.question.replace(ASKS[RELATION], asked))
