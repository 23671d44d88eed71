"""What the retrieval task says in English words: templates, and the text of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import Formatter

from taxonomy.errors import ConfigError, unknown
from xmodal.binding import word_lists


@dataclass(frozen=True, kw_only=True)
class WordTemplate:
    """How a scene is said. A space stands before every word, so that its token is one wherever it
    occurs."""

    name: str
    start: str
    """Before the first object."""
    context: str
    """Of an object: its {colour} and {shape}."""
    context_between: str
    context_end: str
    """Behind the last object; its last token is where the context ends."""
    association_start: str
    """Before the first association."""
    association: str
    """Of an object: its {shape} and {item}."""
    association_between: str
    association_end: str
    question: str
    """With a {colour}; the answer is what follows."""
    answer: str = " {item}"


PLAIN = WordTemplate(
    name="plain",
    start="Objects:",
    context=" {colour} {shape}",
    context_between=",",
    context_end=".",
    association_start="\nItems:",
    association=" {shape} {item}",
    association_between=",",
    association_end=".\n",
    question="Item of {colour}:",
)
"""Pairs and little else, as in the paper."""
SENTENCES = WordTemplate(
    name="sentences",
    start="",
    context="We see the {colour} {shape}.",
    context_between=" ",
    context_end="\n",
    association_start="",
    association="The {shape} holds the {item}.",
    association_between=" ",
    association_end="\n",
    question="Question: What does the {colour} one hold?\nAnswer: the",
)
"""A sentence for each object and each association."""
TEMPLATES = {one.name: one for one in (PLAIN, SENTENCES)}


def word_template(name: str) -> WordTemplate:
    """A template by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in TEMPLATES:
        raise ConfigError(unknown("template", name, TEMPLATES))
    return TEMPLATES[name]


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words that scenes are drawn from."""

    colours: tuple[str, ...]
    shapes: tuple[str, ...]
    items: tuple[str, ...]

    @property
    def n_colours(self) -> int:
        """Words for colours."""
        return len(self.colours)

    @property
    def n_shapes(self) -> int:
        """Words for shapes."""
        return len(self.shapes)

    @property
    def n_items(self) -> int:
        """Words for items."""
        return len(self.items)

    @property
    def most_objects(self) -> int:
        """Objects that a scene can have: each has a word of each kind of its own."""
        return min(self.n_colours, self.n_shapes, self.n_items)


ALL_WORDS = Words(colours=word_lists.COLOURS, shapes=word_lists.SHAPES, items=word_lists.ITEMS)


@dataclass
class Said:
    """A text, and the characters that each word in it takes, by role."""

    text: str = ""
    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, pattern: str, **words: tuple[str, str]) -> None:
        """Say a pattern; words by field: role and word."""
        for literal, name, _, _ in Formatter().parse(pattern):
            self.text += literal
            if name is not None:
                role, word = words[name]
                self.mark(role, word)

    def mark(self, role: str, text: str) -> None:
        """Say something whose place is wanted."""
        start = len(self.text)
        self.text += text
        self.spans.setdefault(role, []).append((start, len(self.text)))


def say(
    template: WordTemplate,
    objects: Sequence[tuple[str, str, str]],
    order: Sequence[int],
    query: int,
) -> Said:
    """The text of one scene and its question.

    Args:
        template: How.
        objects: Colour, shape and item of each.
        order: The object whose association stands first, second, ...
        query: The object whose colour is asked for.
    """
    said = Said(template.start)
    for i, (colour, shape, _) in enumerate(objects):
        said.text += template.context_between if i else ""
        said.add(template.context, colour=("colour", colour), shape=("shape", shape))
    said.mark("context-end", template.context_end)
    for i, at in enumerate(order):
        _, shape, item = objects[at]
        said.text += template.association_between if i else template.association_start
        said.add(
            template.association,
            shape=("association-shape", shape),
            item=("association-item", item),
        )
    said.text += template.association_end
    said.add(template.question, colour=("query", objects[query][0]))
    # back from the order of the associations to that of the objects
    stands = sorted(range(len(order)), key=lambda place: order[place])
    for role in ("association-shape", "association-item"):
        said.spans[role] = [said.spans[role][place] for place in stands]
    return said
