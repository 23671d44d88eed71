"""Hooks on the blocks of a decoder of transformers: its residual stream, and who sees whom.

Layer 0 is what the first block is given, so that it holds learned positions and whatever else a
model does to its embeddings; layer l is what block l gives.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from taxonomy.errors import ConfigError
from xmodal.binding.subject import Edit

ATTENTIONS = ("sdpa", "eager")
"""Implementations that take a mask of every pair of tokens."""
_STATES, _MASK = "hidden_states", "attention_mask"


def blocks_of(model: Any, name: str) -> list[nn.Module]:
    """The blocks of a model's text decoder, in their order.

    Args:
        model: A causal LM or a vision-language model.
        name: For the message.

    Raises:
        ConfigError: There is no one list of as many modules as the model says it has layers.
    """
    n_layers = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", None)
    lists = [
        (path.count("."), list(found))
        for path, found in model.get_decoder().named_modules()
        if isinstance(found, nn.ModuleList) and len(found) == n_layers
    ]
    if not lists:
        raise ConfigError(
            f"lm {name} cannot be looked into: no list of its {n_layers} blocks is found in "
            f"{type(model).__name__}"
        )
    return min(lists, key=lambda one: one[0])[1]


@contextmanager
def editing(blocks: Sequence[nn.Module], edit: Edit) -> Iterator[None]:
    """Let an edit change the residual stream [B, T, W] of every layer.

    Args:
        blocks: Of the decoder.
        edit: Called in the order of the layers, 0 to L.
    """

    def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
        return _replaced(module, args, kwargs, _STATES, lambda x: _edited(edit, 0, x))

    def behind(layer: int) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (_edited(edit, layer, output[0]), *output[1:])
            return _edited(edit, layer, output)

        return hook

    with ExitStack() as hooks:
        handle = blocks[0].register_forward_pre_hook(before, with_kwargs=True)
        hooks.callback(handle.remove)
        for layer, block in enumerate(blocks, start=1):
            hooks.callback(block.register_forward_hook(behind(layer)).remove)
        yield


def _edited(edit: Edit, layer: int, x: Tensor) -> Tensor:
    if x.dim() != 3:
        raise ConfigError(
            f"an LM of which each block hands on one vector a token can be patched, got states of "
            f"shape {list(x.shape)}"
        )
    made = edit(layer, x)
    if made.shape != x.shape:
        raise ValueError(f"an edit must keep the shape {list(x.shape)}, got {list(made.shape)}")
    return made.to(x)


@contextmanager
def masking(
    blocks: Sequence[nn.Module], masks: Sequence[Tensor], seen: Tensor, attention: str
) -> Iterator[None]:
    """Let each block's tokens attend to what its own mask and a mask given both allow.

    Args:
        blocks: Of the decoder.
        masks: bool [T, T] or [B, T, T], one a block.
        seen: bool [B, T]: false for padding.
        attention: The implementation that the model runs with.

    Raises:
        ConfigError: An implementation, or a model, that takes no such masks, or a token that
            would be left with nothing to attend to.
    """
    if attention not in ATTENTIONS:
        raise ConfigError(
            f"attention masks need the attention {' or '.join(ATTENTIONS)}, got {attention!r}: "
            "load the LM with one of these"
        )
    if len(masks) != len(blocks):
        raise ValueError(f"one mask for each of {len(blocks)} blocks, got {len(masks)}")
    n = seen.shape[1]
    causal = torch.ones(n, n, dtype=torch.bool, device=seen.device).tril()
    always = causal & seen[:, None, :]

    def hook(given: Tensor) -> Callable[..., Any]:
        given = given.to(seen.device)
        allowed = (always & (given if given.dim() == 3 else given[None]))[:, None]

        def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
            states = kwargs[_STATES] if _STATES in kwargs else args[0]

            def cut(own: Any) -> Tensor:
                return _both(own, allowed, seen, states.dtype, attention)

            return _replaced(module, args, kwargs, _MASK, cut)

        return before

    with ExitStack() as hooks:
        for block, mask in zip(blocks, masks, strict=True):
            handle = block.register_forward_pre_hook(hook(mask), with_kwargs=True)
            hooks.callback(handle.remove)
        yield


def _both(own: Any, allowed: Tensor, seen: Tensor, dtype: torch.dtype, attention: str) -> Tensor:
    """A block's own mask with edges cut: bool, or what is added to the scores.

    Args:
        own: As the model made it: None where causal is all, bool, or added to the scores.
        allowed: bool [B, 1, T, T].
        seen: bool [B, T].
        dtype: Of the states.
        attention: The implementation.
    """
    n = seen.shape[1]
    if own is not None and (not isinstance(own, Tensor) or own.shape[-2:] != (n, n)):
        what = list(own.shape) if isinstance(own, Tensor) else type(own).__name__
        raise ConfigError(
            f"attention cannot be cut in this LM: its blocks take a mask of every pair of tokens, "
            f"[{n}, {n}], or none, got {what}"
        )
    if own is not None and own.dtype == torch.bool:
        sees_itself = own.diagonal(dim1=-2, dim2=-1)
        if not bool((sees_itself | ~seen[:, None]).all()):
            raise ConfigError(
                "attention cannot be cut in this LM: its own mask does not let a token see itself, "
                "so that it must mean something else"
            )
    added: Tensor | None = own if own is not None and own.dtype != torch.bool else None
    if added is not None:
        left = allowed & (added > torch.finfo(added.dtype).min / 2)
    else:
        left = allowed if own is None else allowed & own
    if bool((~left.any(-1) & seen[:, None]).any()):
        raise ConfigError("every token must be left something to attend to: keep at least itself")
    if added is None:
        if attention != "eager":
            return left
        added = torch.zeros(left.shape, dtype=dtype, device=left.device)
    return added.masked_fill(~left, torch.finfo(added.dtype).min)


def _replaced(
    module: nn.Module, args: Any, kwargs: Any, name: str, change: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Arguments of a block with one changed, however it was passed."""
    if name in kwargs:
        return args, {**kwargs, name: change(kwargs[name])}
    names = list(inspect.signature(module.forward).parameters)
    at = 0 if name == _STATES else names.index(name) if name in names else None
    if at is None:
        raise ConfigError(
            f"attention cannot be cut in this LM: its blocks, {type(module).__name__}, take no mask"
        )
    if at < len(args):
        return (*args[:at], change(args[at]), *args[at + 1 :]), kwargs
    return args, {**kwargs, name: change(None)}
