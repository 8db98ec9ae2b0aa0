"""A synthetic scene that a radiance field learns from views: checkered balls, seen by cameras around them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor, nn

from ...checks import integer
from ...nn import MLP, Architecture, FrequencyLaw, ReLU, TorchDefault
from ...nn.frame import Frame
from ...nn.stacked import stack
from ...optim import Adam
from ..experiment import Context
from ..fitting import Fit, fit
from ..losses import outputs
from ..picture_fits import psnr
from ..records import LogSpaced
from .encodings import encoding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHANNELS = 3
_DENSITY = 30.0  # one over the depth to which one sees into a ball: a thirtieth
_TILES = 2.5  # periods of the checker pattern per unit length
_FINER = 8  # samples of the true views for one of the network's

_BALLS = (  # centre, radius, the two colours
    ((0.0, -0.1, 0.0), 0.5, (0.9, 0.2, 0.1), (0.95, 0.9, 0.8)),
    ((0.55, 0.45, 0.1), 0.28, (0.1, 0.3, 0.9), (0.9, 0.9, 0.2)),
    ((-0.5, 0.5, -0.2), 0.3, (0.1, 0.7, 0.3), (0.2, 0.1, 0.3)),
)


@final
@dataclass(frozen=True)
class Scene:
    """Views of the checkered balls, and the field that is fitted to them.

    A ray's colour is sum_i T_i (1 - exp(-s_i h)) c_i with density s and colour c at samples h apart, and
    T_i = exp(-sum_(j < i) s_j h): emission and absorption, on a black ground.

    Args:
        pixels: rows and columns of a view.
        samples: points on a ray.
        cameras: views trained on, evenly around the scene.
        held_out: views between them.
        network: reads encoded positions; four outputs, the colour before a sigmoid and the density before a softplus.
        fit: the training; its batch counts rays.

    Notes: colours do not depend on the direction of sight, and samples lie at fixed depths, so that a run is repeatable.

    Reference: Mildenhall et al., NeRF, ECCV 2020, eqs. 3 and 4; book, section 5.2.
    """

    pixels: int = 16
    samples: int = 24
    cameras: int = 6
    held_out: int = 2
    network: Architecture = field(default_factory=lambda: MLP(64, 2, ReLU(), TorchDefault()))
    fit: Fit = field(default_factory=lambda: Fit(600, Adam(5e-3), record=LogSpaced(12), batch=256))

    def __post_init__(self) -> None:
        for name in ("pixels", "samples", "cameras", "held_out"):
            integer("Scene", name, getattr(self, name))

    def angles(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions of the cameras around the scene: those trained on, and those between."""
        step = 2 * math.pi / self.cameras
        return step * np.arange(self.cameras), step * (np.arange(self.held_out) * (self.cameras // self.held_out) + 0.5)

    def points(self, angle: float, samples: int) -> Tensor:
        """(pixels^2, samples, 3): the samples of a camera's rays, at the middles of equal pieces of each ray."""
        eye = torch.tensor([2.5 * math.cos(angle), 2.5 * math.sin(angle), 0.8 * math.cos(3 * angle)])
        forward = -eye / eye.norm()
        right = torch.linalg.cross(forward, torch.tensor([0.0, 0.0, 1.0]))
        right = right / right.norm()
        up = torch.linalg.cross(right, forward)
        across = 0.4 * ((torch.arange(self.pixels) + 0.5) * 2 / self.pixels - 1)
        rays = forward - across[:, None, None] * up + across[None, :, None] * right
        rays = (rays / rays.norm(dim=-1, keepdim=True)).reshape(-1, 1, 3)
        depth = 1.4 + 2.2 * (torch.arange(samples) + 0.5) / samples
        return eye + depth[:, None] * rays

    def step(self, samples: int) -> float:
        """Distance of a ray's samples."""
        return 2.2 / samples

    def truth(self, angle: float) -> Tensor:
        """(pixels^2, 3): a view of the scene, by finer samples than the network's."""
        samples = self.samples * _FINER
        colour, density = _scene(self.points(angle, samples))
        return rendered(colour, density, self.step(samples))


def _scene(x: Tensor) -> tuple[Tensor, Tensor]:
    """Colours (..., 3) and densities (...) at points (..., 3)."""
    odd = torch.sin(2 * math.pi * _TILES * x).prod(dim=-1) > 0
    colour, density = torch.zeros_like(x), torch.zeros_like(x[..., 0])
    for centre, radius, first, second in _BALLS:
        inside = (x - torch.tensor(centre)).norm(dim=-1) < radius
        pattern = torch.where(odd[..., None], torch.tensor(first), torch.tensor(second))
        colour = torch.where(inside[..., None], pattern, colour)
        density = torch.where(inside, torch.tensor(_DENSITY), density)
    return colour, density


def rendered(colour: Tensor, density: Tensor, step: float) -> Tensor:
    """Colours (..., 3) of rays, from colours (..., samples, 3) and densities (..., samples) along them."""
    depth = (density * step).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(depth[..., :1]), depth[..., :-1]], dim=-1)
    weight = torch.exp(-before) - torch.exp(-depth)
    return (weight[..., None] * colour).sum(dim=-2)


@final
@dataclass(frozen=True)
class _Rendering:
    """Mean square of a view's misfit; a row of x holds the encoded samples of a ray one after the other."""

    scene: Scene

    def views(self, network: nn.Module, x: Tensor) -> Tensor:
        """Colours (S, rays, 3)."""
        samples = self.scene.samples
        value = outputs(network, x.reshape(*x.shape[:-2], x.shape[-2] * samples, -1))
        value = value.reshape(len(value), -1, samples, _CHANNELS + 1)
        colour, density = torch.sigmoid(value[..., :_CHANNELS]), nn.functional.softplus(value[..., _CHANNELS])
        return rendered(colour, density, self.scene.step(samples))

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and colours (S, rays, 3)."""
        value = self.views(network, x)
        return (value - y).square().mean((1, 2)), value


@final
@dataclass(frozen=True, eq=False)
class Views:
    """What S fields made of the scene.

    Attributes:
        truth, found: (views, rows, columns, 3), of the first seed; those trained on come first.
        train, test: (S,) peak signal-to-noise ratios in dB over the views trained on, and over those held out.
    """

    truth: np.ndarray
    found: np.ndarray
    train: np.ndarray
    test: np.ndarray


def fitted(scene: Scene, law: FrequencyLaw | None, context: Context, label: str) -> Views:
    """Fit the views of a scene by one field per seed behind an encoding of positions that has no random numbers."""
    encode = encoding(law, context.generator(0), dim=3)
    seen, hidden = scene.angles()
    angles = [*seen, *hidden]
    with torch.no_grad():
        truth = torch.stack([scene.truth(angle) for angle in angles])
        rays = torch.stack([encode(scene.points(angle, scene.samples).reshape(-1, 3)) for angle in angles])
    features = rays.shape[-1]
    rays = rays.reshape(len(angles), scene.pixels**2, scene.samples * features)
    frame = Frame((-1.0,) * features, (1.0,) * features, _CHANNELS + 1, torch.float32)
    networks = stack([scene.network.build(frame, context.generator(seed, "field")) for seed in context.seeds])
    loss = _Rendering(scene)
    fit(
        networks,
        rays[: len(seen)].flatten(0, 1),
        truth[: len(seen)].flatten(0, 1),
        scene.fit,
        context,
        loss=loss,
        label=label,
    )
    with torch.no_grad():
        found = torch.stack([loss.views(networks, view) for view in rays], dim=1)  # (S, views, rays, 3)
    squares = (found - truth).square().numpy()
    train, test = psnr(squares[:, : len(seen)].mean(axis=-1)), psnr(squares[:, len(seen) :].mean(axis=-1))
    shape = (len(angles), scene.pixels, scene.pixels, _CHANNELS)
    return Views(truth.reshape(shape).numpy(), found[0].reshape(shape).numpy(), train, test)


def draw_views(figure: Figure, scene: Scene, found: dict[str, Views]) -> None:
    """A view trained on and one held out: the scene, and what the fields of the first seed make of it."""
    axes = figure.subplots(2, 1 + len(found), squeeze=False)
    truth = next(iter(found.values())).truth
    for row, (number, title) in enumerate(((0, "trained on"), (scene.cameras, "held out"))):
        for column, (name, view) in enumerate({"scene": truth, **{k: v.found for k, v in found.items()}}.items()):
            ax = axes[row, column]
            ax.imshow(np.clip(view[number], 0.0, 1.0))
            ax.set(xticks=(), yticks=())
            if row == 0:
                ax.set_title(name, fontsize=9)
            else:
                ratio = "" if name == "scene" else f"{found[name].train[0]:.1f} / {found[name].test[0]:.1f} dB"
                ax.set_xlabel(ratio, fontsize=9)
        axes[row, 0].set_ylabel(f"view {title}", fontsize=9)
