"""A small vision transformer (Dosovitskiy et al. 2021), plain as in Beyer, Zhai and Kolesnikov 2022.

Patches become tokens by one convolution; positions are fixed sines and cosines of row and column; blocks with the
normalisation first; mean over the tokens instead of a class token; one linear layer, zero at the start, so that
training begins at chance. 4x4 patches, width 128, 4 blocks of 4 heads: 0.80 million parameters for 3x32x32 and 10
classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def vit(
    channels: int,
    size: int,
    classes: int,
    *,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    patch: int = 4,
    dropout: float = 0.0,
) -> nn.Module:
    """Return the network for (N, channels, size, size).

    Raises:
        ValueError: `size` is no multiple of `patch`, or `width` none of 4 and of `heads`.

    """
    if patch < 1 or size % patch:
        raise ValueError(
            f"vit cuts images into patches of {patch}x{patch}, and {size}x{size} is no multiple of that"
        )
    if heads < 1 or depth < 1 or width < 4 or width % 4 or width % heads:
        raise ValueError(
            f"vit needs a width that is a multiple of 4 and of heads (found {width}, {heads} heads, depth {depth})"
        )
    blocks = [_Block(width, heads, dropout) for _ in range(depth)]
    return _Vit(channels, size // patch, classes, width=width, patch=patch, blocks=blocks)


class _Vit(nn.Module):
    """Patches, blocks, mean, classes."""

    places: Tensor

    def __init__(
        self,
        channels: int,
        side: int,
        classes: int,
        *,
        width: int,
        patch: int,
        blocks: list[_Block],
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.register_buffer("places", _places(side, width), persistent=False)
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, classes) logits."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        logits: Tensor = self.head(self.norm(self.blocks(tokens)).mean(1))
        return logits


class _Block(nn.Module):
    """Attention, then a hidden layer of four times the width; each is added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.hidden = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, T, width)."""
        tokens = tokens + self.drop(self._attention(self.norm_attention(tokens)))
        out: Tensor = tokens + self.drop(self.hidden(self.norm_hidden(tokens)))
        return out

    def _attention(self, tokens: Tensor) -> Tensor:
        count, length, width = tokens.shape
        apart = self.attend(tokens).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = apart.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.project(seen.transpose(1, 2).reshape(count, length, width))
        return joined


def _places(side: int, width: int) -> Tensor:
    """Return (side * side, width): a quarter each of sines and cosines of the row, and of the column."""
    speeds = 10_000.0 ** -(torch.arange(width // 4) / max(1, width // 4 - 1))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [place.reshape(-1, 1) * speeds for place in (rows, columns)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], 1)
