"""What one step of a network costs, counted rather than timed."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lgd_tools.figures import new_figure, save_figure


def flops(step: Callable[[], object]) -> int:
    """Floating-point operations of convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


class _Traffic(TorchDispatchMode):
    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(
                t.numel() * t.element_size()
                for t in tree_leaves((args, kwargs, out))
                if isinstance(t, Tensor)
            )
        return out


def traffic(step: Callable[[], object]) -> int:
    """Bytes that the operations read and write, each tensor once in each.

    That of an eager step: a compiler that fuses operations needs less.
    """
    with _Traffic() as counter:
        step()
    return counter.bytes


def peak_memory(step: Callable[[], object], device: str) -> int:
    """Most bytes of tensors that a step holds, beyond those before it.

    Weights and momentum are there before; activations, gradients and
    temporaries come on top. Workspaces inside libraries are not counted on
    a CPU.
    """
    if device == 'cuda':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True) as p:
        step()
    now = peak = 0
    for event in p.profiler.kineto_results.events():
        if event.name() == '[memory]':
            now += event.nbytes()  # negative: set free
            peak = max(peak, now)
    return peak


def picture(step: Callable[[], object], device: str, stem: str) -> None:
    """Profile a step into ``stem.json.gz`` (a trace) and ``stem.png``."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == 'cuda':
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as p:
        step()
        if device == 'cuda':
            torch.cuda.synchronize()
    p.export_chrome_trace(f'{stem}.json.gz')
    attribute = f'self_{"device" if device == "cuda" else "cpu"}_time_total'
    times = {e.key: getattr(e, attribute) / 1e3 for e in p.key_averages()}
    top = sorted(times, key=times.get)[-15:]
    total = sum(times.values())
    figure = new_figure(9, 5)
    axes = figure.add_subplot()
    bars = axes.barh([k[:60] for k in top], [times[k] for k in top])
    axes.bar_label(bars, [f' {times[k] / total:.0%}' for k in top])
    axes.set_xlabel(f'own time on the {device} in one step, ms')
    save_figure(figure, f'{stem}.png')
