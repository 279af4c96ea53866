"""One run of the study: train, test, and what was seen as a dict."""

import math
import time
from dataclasses import asdict
from typing import Any

import torch

from lgd_tools.study.networks import Network, build
from lgd_tools.study.plan import Run
from lgd_tools.study.task import Task

BATCH = 32
TEST_CLIPS = 512
WARM_UP = 0.1  # of the steps
SWITCH = 0.6  # of the steps are stage 1, where there are two
EVERY = 10  # steps of a point of the learning curve


def learning_rate(step: int, steps: int) -> float:
    """Share of the largest rate: linear warm-up, then half a cosine."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (steps - warm))


def fit(run: Run) -> tuple[Network, list[list[float]]]:
    """A trained network and its curve: step, loss, accuracy in training."""
    torch.set_num_threads(1)
    torch.manual_seed(run.seed)
    model = build(run.network, run.head)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=run.lr, weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, run.steps)
    )
    task = Task(run.question, run.distance, run.seed)
    curve, losses, hits = [], [], []
    for step in range(run.steps):
        two_stages = run.head.startswith('two_stage')
        if two_stages and step == round(SWITCH * run.steps):
            model.head.set_stage(2)
        loss, right = model.loss(*task.batch(BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        hits.append(right.item() / BATCH)
        if (step + 1) % EVERY == 0:
            mean = [sum(values) / EVERY for values in (losses, hits)]
            curve.append([step + 1, *(round(value, 4) for value in mean)])
            losses, hits = [], []
    return model, curve


def train(run: Run) -> dict[str, Any]:
    """Train and test; what the run is, and what was seen."""
    start = time.process_time()
    model, curve = fit(run)
    seconds = time.process_time() - start
    test_loss, right, apart = test(model, run)
    return {
        **asdict(run),
        'told_apart': apart,
        'accuracy': right,
        'test_clips': TEST_CLIPS,
        'test_loss': test_loss,
        'curve': curve,
        'parameters': model.body_parameters(),
        'cpu_seconds': round(seconds, 1),
    }


@torch.no_grad()
def test(model: torch.nn.Module, run: Run) -> tuple[float, float, float]:
    """Mean loss, accuracy, and :func:`told_apart`, on new objects."""
    model.eval()
    task = Task(run.question, run.distance, run.seed, test=True)
    batches = TEST_CLIPS // (2 * BATCH)
    total, right, scores, truth = 0.0, 0, [], []
    for _ in range(batches):
        clips, labels = task.batch(2 * BATCH)
        loss, hits = model.loss(clips, labels)
        total, right = total + loss.item(), right + hits.item()
        logits = model(clips)
        scores.append(logits[:, 1] - logits[:, 0])
        truth.append(labels)
    apart = told_apart(torch.cat(scores), torch.cat(truth))
    return round(total / batches, 5), right / TEST_CLIPS, round(apart, 5)


def told_apart(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of pairs, one clip of each class, in which 'same' scores higher.

    The area under the ROC curve: ties count a half. Accuracy would not do. A
    sum over two objects of two colours guesses at the loss of guessing, but
    with a threshold that suits by chance it is right in 3 of the 4
    combinations, or in 1; of the pairs always in half.
    """
    same, different = scores[labels == 1], scores[labels == 0]
    gap = same[:, None] - different[None]
    return ((gap > 0).double() + 0.5 * (gap == 0)).mean().item()
