"""What the global path does in one clip, in numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor, nn

from lgd_mmaction.models.lgd_resnet3d import LGDUnit
from lgd_tools.cli import ToolError

STEPS = 16  # of the path from x_l without g to x_l with it
CELLS = 4  # fewer rows tell no place; x_L has them in clips of 112 pixels
State = tuple[Tensor, Tensor]


@dataclass
class Findings:
    """All that is drawn; scores are log-odds of the class, in nats."""

    names: list[str]  # of the L units: layer1.0 ...
    sizes: Tensor  # (L,) |US(W^{x,g} g)| / |F_l|, over channels and positions
    unit_effects: Tensor  # (L,) score minus the score without (1) in that unit
    class_index: int  # of the class that is looked at
    score: float  # of the whole network
    score_without: float  # (1) in any unit
    probability: float
    probability_without: float
    stage: str  # whose x_l the maps are of
    change: Tensor  # (T', H', W') |x_l - x_l without g| / mean |x_l|
    effect: Tensor  # (T', H', W') what that change adds to the score
    cam: Tensor  # (T', H', W') Grad-CAM of x_l, 0 .. 1
    frame_moves: Tensor  # (T,) |g_L - g_L without that frame| / |g_L|
    frame_effects: Tensor  # (T,) score minus the score without that frame


def log_odds(scores: Tensor, index: int) -> Tensor:
    """log p / (1 - p) of a class; (N, K) scores -> (N,)."""
    others = torch.cat([scores[:, :index], scores[:, index + 1 :]], 1)
    return scores[:, index] - others.logsumexp(1)


class Network:
    """A recognizer, in evaluation mode, as clip -> stages -> scores."""

    def __init__(self, recognizer: nn.Module) -> None:
        self.backbone, self.head = recognizer.backbone, recognizer.cls_head
        modules = self.backbone.named_modules()
        self.units = {n: m for n, m in modules if isinstance(m, LGDUnit)}
        if not self.units or recognizer.with_neck:
            raise ToolError(
                'this network has no global path to look at: give the config '
                'of an LGD backbone with diffusion=dict(...)'
            )
        self.stages = list(self.backbone.res_layers)

    def states(self, clip: Tensor) -> dict[str, State]:
        """(x_l, g_l) at the end of every stage."""
        found: dict[str, State] = {}
        with ExitStack() as hooks:
            for name in self.stages:
                hook = getattr(self.backbone, name).register_forward_hook(
                    lambda _, __, out, name=name: found.update({name: out})
                )
                hooks.enter_context(hook)
            self.backbone(clip)
        return found

    def scores_from(self, stage: str, state: State) -> Tensor:
        """(x_l, g_l) at the end of a stage -> scores (N, K)."""
        at = self.stages.index(stage)
        if at == 0 and self.backbone.with_pool2:
            state = self.backbone.pool2(state)
        for name in self.stages[at + 1 :]:
            state = getattr(self.backbone, name)(state)
        return self.head(state)

    def scores(self, clip: Tensor) -> Tensor:
        return self.head(self.backbone(clip))

    @contextmanager
    def with_diffusion(self, change: Callable, units: Sequence) -> Iterator:
        """Units whose (1) is ``(diffusion, f, g, inplace) -> f'``."""
        with ExitStack() as stock:
            for diffusion in (unit.diffusion for unit in units):
                diffusion.diffuse_to_local = partial(change, diffusion)
                stock.callback(delattr, diffusion, 'diffuse_to_local')
            yield

    def without(self, *units: nn.Module):
        """Let these units, or all, leave (1) out: x_l = ReLU(F_l)."""
        units = units or [*self.units.values()]
        return self.with_diffusion(lambda _, f, g, inplace: f, units)


# ------------------------------------------------------------ (a) the units
@torch.no_grad()
def sizes_of_diffusion(network: Network, clip: Tensor) -> Tensor:
    """|what (1) adds| / |F_l| of every unit, (L,)."""
    found = []

    def measured(diffusion, f: Tensor, g: Tensor, inplace: bool) -> Tensor:
        out = type(diffusion).diffuse_to_local(diffusion, f, g)
        found.append((out - f).norm() / f.norm().clamp_min(1e-12))
        return out

    with network.with_diffusion(measured, [*network.units.values()]):
        network.scores(clip)
    return torch.stack(found)


@torch.no_grad()
def effects_of_units(network: Network, clip: Tensor, index: int) -> Tensor:
    """Score minus the score without (1) in one unit, for every one, (L,)."""
    whole = log_odds(network.scores(clip), index)
    effects = []
    for unit in network.units.values():
        with network.without(unit):
            effects.append(whole - log_odds(network.scores(clip), index))
    return torch.cat(effects)


# ------------------------------------------------------------- (b) the maps
def change_map(x: Tensor, without: Tensor) -> Tensor:
    """|x - x without g| over channels, relative to the mean |x|.

    (1, C, T, H, W) twice -> (T, H, W).
    """
    return (x - without).norm(dim=1)[0] / x.norm(dim=1).mean().clamp_min(1e-12)


def effect_map(
    score: Callable[[Tensor], Tensor], x: Tensor, without: Tensor
) -> Tensor:
    """What every position of x - without adds to a score.

    Integrated gradients (Sundararajan et al., ICML 2017) from ``without`` to
    x, (1, C, T, H, W) both -> (T, H, W): their sum is score(x) -
    score(without), up to the midpoint rule. ``score`` gives (N,) values.
    """
    total = torch.zeros_like(x)
    for step in range(STEPS):
        at = without + (step + 0.5) / STEPS * (x - without)
        at = at.detach().requires_grad_()
        total += torch.autograd.grad(score(at).sum(), at)[0]
    return ((x - without) * total / STEPS).sum(1)[0].detach()


def grad_cam(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al., ICCV 2017), (1, C, T, H, W) -> (T, H, W).

    ReLU(sum_c w_c x_c), w_c the mean gradient; divided by its largest value.
    """
    x = x.detach().requires_grad_()
    weight = torch.autograd.grad(score(x).sum(), x)[0]
    weight = weight.mean((2, 3, 4), keepdim=True)
    cam = (weight * x).sum(1)[0].relu().detach()
    return cam / cam.max().clamp_min(1e-12)


# ----------------------------------------------------------- (c) the frames
def leave_one_out(clip: Tensor) -> Tensor:
    """(1, C, T, H, W) -> (T, C, T, H, W): clip t shows frame t's neighbour.

    The frame before it, the one after it for the first: as long a clip.
    """
    length = clip.size(2)
    clips = clip.repeat(length, 1, 1, 1, 1)
    for t in range(length):
        clips[t, :, t] = clip[0, :, t - 1 if t else min(1, length - 1)]
    return clips


@torch.no_grad()
def effects_of_frames(
    network: Network, clip: Tensor, index: int
) -> tuple[Tensor, Tensor]:
    """How far each frame moves g_L, relative to |g_L|, and the score."""
    x, g = network.backbone(clip)
    whole = log_odds(network.head((x, g)), index)
    moves, effects = [], []
    for other in leave_one_out(clip):  # one by one: memory of one clip
        x_t, g_t = network.backbone(other[None])
        moves.append((g - g_t).norm() / g.norm().clamp_min(1e-12))
        effects.append(whole - log_odds(network.head((x_t, g_t)), index))
    return torch.stack(moves), torch.cat(effects)


# --------------------------------------------------------------- everything
def look_at(
    recognizer: nn.Module,
    clip: Tensor,
    index: int | None = None,
    stage: str | None = None,
) -> Findings:
    """Everything about one normalised clip, (1, C, T, H, W).

    Args:
        recognizer: In evaluation mode.
        clip: What its backbone takes.
        index: The class; None: the predicted one.
        stage: Whose maps to draw, ``layer1`` ...; None: the last one that is
            not too coarse.
    """
    network = Network(recognizer)
    with torch.no_grad():
        scores = network.scores(clip)
        index = int(scores.argmax()) if index is None else index
        states = network.states(clip)
        with network.without():
            scores_without = network.scores(clip)
            states_without = network.states(clip)
    if stage is None:
        fine = [n for n, (x, _) in states.items() if x.size(3) >= CELLS]
        stage = fine[-1] if fine else network.stages[0]
    (x, g), (x_without, _) = states[stage], states_without[stage]

    def score(at: Tensor) -> Tensor:
        return log_odds(network.scores_from(stage, (at, g)), index)

    moves, effects = effects_of_frames(network, clip, index)
    return Findings(
        names=list(network.units),
        sizes=sizes_of_diffusion(network, clip),
        unit_effects=effects_of_units(network, clip, index),
        class_index=index,
        score=float(log_odds(scores, index)),
        score_without=float(log_odds(scores_without, index)),
        probability=float(scores.softmax(1)[0, index]),
        probability_without=float(scores_without.softmax(1)[0, index]),
        stage=stage,
        change=change_map(x, x_without),
        effect=effect_map(score, x, x_without),
        cam=grad_cam(score, x),
        frame_moves=moves,
        frame_effects=effects,
    )


def read_clip(recognizer: nn.Module, cfg: Config, video: str) -> tuple:
    """The middle one of a video's test clips.

    Normalised, (1, C, T, H, W), and as pictures, uint8 (T, H, W, C).
    """
    sample = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
    inputs = Compose(cfg.test_pipeline)(sample)['inputs']  # (M, C, T, H, W)
    clip = inputs[len(inputs) // 2]
    done = recognizer.data_preprocessor(
        dict(inputs=[clip[None]], data_samples=None)
    )
    return done['inputs'][0], clip.permute(1, 2, 3, 0).numpy()
