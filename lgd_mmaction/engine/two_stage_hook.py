"""The switch from stage 1, loss (5), to stage 2, loss (6)."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from lgd_mmaction.engine.checkpoint_hook import model_of
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.kernelized_head import KernelizedHead


@HOOKS.register_module()
class TwoStageHook(Hook):
    """Puts the KernelizedHead into stage 2 at a given epoch.

    The stage follows from the number of the epoch alone, so a run that is
    resumed anywhere continues as it would have. The checkpoint at the end of
    an epoch, and the validation after it, are in the stage of that epoch.

    Args:
        switch_epoch: Epochs 0 .. switch_epoch - 1, counted from 0, are
            stage 1; the others are stage 2. 0 is stage 2 from the start, as
            for a network loaded from a checkpoint of stage 1.

    Raises:
        ConfigError: A negative switch_epoch, a model without KernelizedHead,
            or training that does not count in epochs.
    """

    def __init__(self, switch_epoch: int) -> None:
        if switch_epoch < 0:
            raise ConfigError(
                f'switch_epoch of TwoStageHook is {switch_epoch}: it counts '
                'the epochs of stage 1 and must be 0 or more.'
            )
        self.switch_epoch = switch_epoch

    def before_train(self, runner: Runner) -> None:
        self._heads(runner)
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ConfigError(
                'TwoStageHook counts epochs and the train loop counts '
                'iterations: use train_cfg=dict(by_epoch=True, '
                'max_epochs=...).'
            )
        if self.switch_epoch >= runner.max_epochs:
            runner.logger.warning(
                f'TwoStageHook: switch_epoch={self.switch_epoch} is not '
                f'reached in max_epochs={runner.max_epochs}; the whole run '
                'is stage 1.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        stage = 1 if runner.epoch < self.switch_epoch else 2
        for head in self._heads(runner):
            if head.active_stage != stage:
                runner.logger.info(
                    f'TwoStageHook: epoch {runner.epoch + 1} begins in stage '
                    f'{stage}, loss ({4 + stage}).'
                )
                head.set_stage(stage)

    def _heads(self, runner: Runner) -> list[KernelizedHead]:
        model = model_of(runner)
        heads = [m for m in model.modules() if isinstance(m, KernelizedHead)]
        if not heads:
            raise ConfigError(
                f'TwoStageHook found no KernelizedHead in '
                f'{type(model).__name__}: set model.cls_head.type='
                '"KernelizedHead", or take the hook out of custom_hooks.'
            )
        return heads
