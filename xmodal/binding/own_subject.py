"""A decoder of this package as the probes see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding import vocabulary as words
from xmodal.binding.decoder import Decoder
from xmodal.binding.examples import count, on
from xmodal.binding.subject import Edit, Prompts
from xmodal.binding.task import SHARED, Layout, Scenes, Sequences, lay_out

Pictures = Callable[[Scenes], Tensor]
"""Image tokens [B, P, Dv] of scenes of one run. Where an object stands may hang on its index
and on the scene's gaps and order, which is all that an intervention leaves alone: not on its
colour or shape."""


def own_prompts(
    scenes: Scenes, query: Tensor, layout: Layout, image: Tensor | None = None
) -> Prompts:
    """Scenes laid out with one two-hop question each.

    The associations stand in the scenes' own order, whatever the layout's: see
    xmodal.binding.examples.as_ordered.

    Args:
        scenes: Of one run.
        query: int64 [B]: the object whose colour is asked for.
        layout: How a scene is said; its hops do not count.
        image: float [B, P, Dv], for an image context.

    Returns:
        The prompts, on the scenes' device, with the places of every role that the context has;
        for an image context also those of the image tokens, `image` [B, P].
    """
    n, device = scenes.n_objects, scenes.colours.device
    if layout.context == "none":
        raise ConfigError("a two-hop question needs a context: text or image, got 'none'")
    n_image = 0 if image is None else image.shape[1]
    asked = replace(layout, hops="two", order="shuffled")
    sequences = lay_out(scenes, asked, n_image).only([0])
    rows = count(scenes)
    ids = sequences.ids[0].clone()
    answer = int(sequences.at[0])
    at_query = answer - 1 if layout.marker else answer
    query = query.to(device)
    ids[:, at_query] = scenes.colours[0].gather(1, query[:, None])[:, 0] + words.COLOUR_0

    def every(*places: int) -> Tensor:
        return torch.tensor(places, device=device).expand(rows, -1)

    n_shown = n_image if layout.context == "image" else 2 * n
    places = {
        "context-end": every(n_shown),
        "query": every(at_query),
        "answer": every(answer),
    }
    stands = scenes.order[0].argsort(dim=-1)
    places["association-shape"] = n_shown + 1 + 2 * stands
    places["association-item"] = n_shown + 2 + 2 * stands
    if layout.context == "image":
        places["image"] = every(*range(n_image))
    else:
        places["colour"] = every(*range(0, 2 * n, 2))
        places["shape"] = every(*range(1, 2 * n, 2))
    return Prompts(ids=ids, positions=sequences.positions[0], image=image, places=places)


class OwnSubject:
    """Subject of a decoder that was trained on the task."""

    def __init__(
        self, decoder: Decoder, layout: Layout | None = None, pictures: Pictures | None = None
    ) -> None:
        """Look into a decoder.

        Args:
            decoder: Of one run; its weights are not changed.
            layout: How scenes are said to it; None for the default, text.
            pictures: Image tokens of scenes, for an image context.

        Raises:
            ConfigError: The decoder is of several runs, or an image context lacks its pictures.
        """
        layout = layout or Layout()
        if decoder.n_runs != 1:
            raise ConfigError(
                f"a probe looks into one run, got a decoder of {decoder.n_runs}: take a slice"
            )
        if (layout.context == "image") != (pictures is not None):
            raise ConfigError(
                f"pictures go with an image context and with no other, got context "
                f"{layout.context!r} {'without' if pictures is None else 'with'} pictures"
            )
        self.decoder, self.layout, self._pictures = decoder, layout, pictures

    @property
    def n_layers(self) -> int:
        """Blocks, L."""
        return self.decoder.n_layers

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.decoder.parameters()).device

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        """Scenes as the decoder reads them; see xmodal.binding.subject.Subject."""
        scenes = on(scenes, self.device)
        image = None if self._pictures is None else self._pictures(scenes).to(self.device)
        return own_prompts(scenes, query, self.layout, image)

    def token_of(self, items: Tensor) -> Tensor:
        """Token ids of items."""
        return items + words.ITEM_0

    def logits(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """float32 [B, V] at the last token; see xmodal.binding.subject.Subject."""
        n = prompts.ids.shape[1]
        shared = torch.full((n,), SHARED, device=prompts.ids.device)
        return self._run(prompts.ids, prompts, shared, 1, edit, masks)[:, 0]

    def patched(self, prompts: Prompts, layers: Sequence[int], values: Tensor) -> Tensor:
        """Logits after each of several patches of the last token, in one run.

        The last token is repeated, once a patch; the copies stand at one position, see the
        tokens before and themselves and not one another, so that each is the last token of a
        patched run of its own.

        Args:
            prompts: What is read.
            layers: Of each patch, the layer, from 0 to L.
            values: float [K, B, W]: what the residual stream becomes there.

        Returns:
            float32 [B, K, V].
        """
        ids, k = prompts.ids, len(layers)
        before = ids.shape[1] - 1
        copies = [*range(before), *[before] * k]
        positions = self._positions(prompts)[:, copies]
        segments = torch.tensor([*[SHARED] * before, *range(k)], device=ids.device)

        def edit(layer: int, x: Tensor) -> Tensor:
            here = [i for i, at in enumerate(layers) if at == layer]
            if not here:
                return x
            x = x.clone()
            x[:, [before + i for i in here]] = values[here].transpose(0, 1).to(x)
            return x

        many = replace(prompts, positions=positions)
        return self._run(ids[:, copies], many, segments, k, edit, None)

    def _positions(self, prompts: Prompts) -> Tensor:
        if prompts.positions is not None:
            return prompts.positions
        n = torch.arange(prompts.ids.shape[1], device=prompts.ids.device)
        return n.expand_as(prompts.ids)

    @torch.no_grad()
    def _run(
        self,
        ids: Tensor,
        prompts: Prompts,
        segments: Tensor,
        n_read: int,
        edit: Edit | None,
        masks: Sequence[Tensor] | None,
    ) -> Tensor:
        """float32 [B, n_read, V] at the last n_read tokens."""
        if prompts.seen is not None:
            raise ValueError("a decoder of this package takes no padding")
        n = ids.shape[1]
        sequences = Sequences(
            ids=ids[None],
            positions=self._positions(prompts)[None],
            segments=segments,
            at=torch.arange(n - n_read, n, device=ids.device),
            targets=ids[None, :, -1:],
        )
        causal = sequences.mask()
        allowed = (
            None if masks is None else [_lifted(one.to(causal.device) & causal) for one in masks]
        )
        image = None if prompts.image is None else prompts.image[None]
        lifted = None if edit is None else lambda layer, x: edit(layer, x[0])[None]
        logits: Tensor = self.decoder(sequences, image, edit=lifted, masks=allowed)
        return logits[0].float()


def _lifted(mask: Tensor) -> Tensor:
    """[T, T] as it is, [B, T, T] to [1, B, 1, T, T]."""
    return mask if mask.dim() == 2 else mask[None, :, None]
