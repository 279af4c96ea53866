# What every config needs to run: scope, plugin, hooks, logging.
default_scope = 'mmaction'
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='SafeCheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        save_best='auto',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    # resuming is exact, and every epoch crops and flips in its own way
    epoch_seed=dict(type='EpochSeedHook'),
    # bad_videos.txt in the work directory
    bad_videos=dict(type='BadVideoHook'),
    # cuDNN searches in training, where all clips have one size
    device_settings=dict(type='DeviceSettingsHook'),
    # SIGTERM, SIGINT, SIGUSR1: finish the step, save, end with exit code 85
    preemption=dict(type='PreemptionHook'),
    # a NaN loss stops the run before the weights take it
    finite_loss=dict(type='FiniteLossHook'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

# each stage leaves the other stage's classifier without gradient
find_unused_parameters = True

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
