"""How the text-only probe words a pair: four phrasings a task and relation, as data.

Fields stand for forms of the leaf and of the hypernym (or of another relation's target):
{leaf} "a parrot", {leaf_plural} "parrots", {hypernym} "a bird", {hypernym_name} "bird",
{hypernym_plural} "birds" ("a bird" behind a mass noun: "bread is a food"). {is}, {has} and
{does} agree with {leaf}, {are}, {have} and {do} with {leaf_plural}.

The sentences for hypernyms are worded as in S1's minimal pairs. Its questions are not released;
the first one here is in their words. The fourth is the one that the embedded LM has practised.
A choice is the text before its last field, and that field is what is chosen.
"""

from __future__ import annotations

from typing import Literal

from taxonomy import phrases
from taxonomy.errors import ConfigError, unknown

Task = Literal["yes_no", "sentence", "choice"]
TASKS: tuple[Task, ...] = ("yes_no", "sentence", "choice")

PHRASINGS: dict[tuple[str, Task], tuple[str, str, str, str]] = {
    ("hypernym", "yes_no"): (
        "{is} {leaf} {hypernym}?",
        "{is} {leaf} a kind of {hypernym_name}?",
        "{are} {leaf_plural} {hypernym_plural}?",
        "this image shows {leaf}. Is there {hypernym} in the image?",
    ),
    ("hypernym", "sentence"): (
        "{leaf_plural} {are} {hypernym_plural}",
        "{leaf} {is} {hypernym}",
        "{leaf_plural} {are} a type of {hypernym_name}",
        "{leaf} {is} a type of {hypernym_name}",
    ),
    ("hypernym", "choice"): (
        "{leaf} {is} a kind of {hypernym_name}",
        "{leaf} {is} {hypernym}",
        "{leaf_plural} {are} {hypernym_plural}",
        "{leaf} {is} a type of {hypernym_name}",
    ),
    ("part", "yes_no"): (
        "{does} {leaf} have {hypernym}?",
        "is {hypernym} part of {leaf}?",
        "{do} {leaf_plural} have {hypernym_plural}?",
        "this image shows {leaf}. Does it have {hypernym}?",
    ),
    ("part", "sentence"): (
        "{leaf_plural} {have} {hypernym_plural}",
        "{leaf} {has} {hypernym}",
        "{leaf_plural} usually {have} {hypernym_plural}",
        "{leaf} usually {has} {hypernym}",
    ),
    ("part", "choice"): (
        "{leaf} {has} {hypernym}",
        "{leaf_plural} {have} {hypernym_plural}",
        "{leaf} usually {has} {hypernym}",
        "{leaf_plural} usually {have} {hypernym_plural}",
    ),
}
N_PHRASINGS = 4


def template_of(relation: str, task: Task, phrasing: int) -> str:
    """The template of one phrasing, numbered from 1.

    Raises:
        ConfigError: There are no phrasings for this relation.
    """
    relations = {name for name, _ in PHRASINGS}
    if relation not in relations:
        raise ConfigError(unknown("relation of a text probe", relation, relations))
    return PHRASINGS[relation, task][phrasing - 1]


class Forms:
    """The forms of one concept, from its name and its stored asked form."""

    def __init__(self, name: str, asked: str) -> None:
        """Find the forms.

        Args:
            name: Surface form, "jewelry".
            asked: What completes "Is there ... in the image?": "a piece of jewelry".
        """
        self.asked = asked
        self.name, self.plural = name, phrases.plural(name)
        self.many = phrases.number(name) != "mass"
        """The verb of the plural form is "are"."""
        if asked == phrases.phrase(name):
            self.asked_many = phrases.is_plural(name) and asked == name
            return
        # an asked form that the dataset gives, and no rule: bare, behind an opener, or reworded
        self.many = name.endswith("s") and not name.endswith("ss")
        self.asked_many = self.many and asked == name
        self.plural = name
        article, _, noun = asked.partition(" ")
        if article in ("a", "an") and (noun == name or not asked.endswith(name)):
            head, of, rest = noun.partition(" of ")
            self.name, self.plural, self.many = noun, phrases.plural(head) + of + rest, True


def fill(template: str, leaf: Forms, hypernym: Forms, *, capital: bool) -> str:
    """A template with the forms of a leaf and a hypernym.

    Args:
        template: One of PHRASINGS.
        leaf: The leaf's forms.
        hypernym: The hypernym's.
        capital: Begin with a capital letter.
    """
    text = template.format_map(
        {
            "leaf": leaf.asked,
            "leaf_plural": leaf.plural,
            "hypernym": hypernym.asked,
            "hypernym_name": hypernym.name,
            "hypernym_plural": hypernym.plural if leaf.many else hypernym.asked,
            "is": "are" if leaf.asked_many else "is",
            "has": "have" if leaf.asked_many else "has",
            "does": "do" if leaf.asked_many else "does",
            "are": "are" if leaf.many else "is",
            "have": "have" if leaf.many else "has",
            "do": "do" if leaf.many else "does",
        }
    )
    return text[0].upper() + text[1:] if capital else text


def split_choice(template: str) -> tuple[str, str]:
    """A choice's text before the completion, and the field that completes it."""
    prompt, _, completion = template.rpartition(" ")
    return prompt, completion
