"""Hand over to the stock scripts of the installed mmaction2.

Options, help and behaviour are the stock script's; what is added is a look at
the files that the config names before anything expensive starts, and one
sentence instead of a traceback for the errors that a user can mend. Exit codes
are 0, 2 for such an error, and 85 for a training that saved itself because it
was told to stop (``engine/preemption_hook.py``).
"""

import errno
import os
import sys
from argparse import Namespace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import mmaction
from mmengine.config import Config

from lgd_mmaction.checkpoints import MID_EPOCH_FILE
from lgd_mmaction.errors import ConfigError, LGDError
from lgd_mmaction.launch.config_errors import naming_slips, read_config
from lgd_mmaction.launch.console import shorten_console
from lgd_mmaction.launch.preflight import check_config


def stock_tools_dir() -> Path:
    """The folder of the stock scripts; ConfigError where there is none."""
    package = Path(mmaction.__file__).parent
    # an editable mmaction2 may keep its scripts at the root of its checkout
    for folder in (package / '.mim' / 'tools', package.parent / 'tools'):
        if (folder / 'train.py').is_file():
            return folder
    raise ConfigError(
        f'the mmaction2 installed in {package} has no .mim/tools/train.py; '
        'reinstall it with: pip install --force-reinstall --no-deps '
        'mmaction2==1.2.0'
    )


def run_stock_tool(name: str) -> None:
    """Run the stock ``train.py`` or ``test.py`` with this process's arguments.

    ``LGD_TRACEBACK=1`` shows the traceback of an error that ends it with 2.
    """
    try:
        script = _load_script(stock_tools_dir() / name)
        args = script.parse_args()
        cfg = _merged_config(script, args)
        tested = getattr(args, 'checkpoint', None)
        check_config(cfg, name == 'test.py', tested)
        shorten_console()
        script.parse_args = lambda: args
        with naming_slips(args.config):
            script.main()
    except LGDError as error:
        _end(error, str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _end(
            error,
            f'{error.filename or "a file of the work directory"} could not be '
            f'written: {error.strerror}; make room, then run the same command '
            'with --resume auto',
        )


def _end(error: Exception, sentence: str) -> NoReturn:
    if os.environ.get('LGD_TRACEBACK') == '1':
        raise error
    print(f'error: {sentence}', file=sys.stderr)
    sys.exit(2)


def _can_resume(cfg: Config) -> bool:
    """Whether ``--resume auto`` finds something to resume, whole or not."""
    work_dir = Path(cfg.work_dir)
    hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
    if (work_dir / 'last_checkpoint').exists():
        return True
    if 'SafeCheckpointHook' not in str(hook.get('type')):
        return False  # stock looks at nothing else
    out_dir = hook.get('out_dir')
    folder = Path(out_dir, work_dir.name) if out_dir else work_dir
    kind = 'epoch' if hook.get('by_epoch', True) else 'iter'
    names = (hook.get('filename_tmpl') or f'{kind}_{{}}.pth', MID_EPOCH_FILE)
    return any(any(folder.glob(name.replace('{}', '*'))) for name in names)


def _load_script(path: Path) -> ModuleType:
    """Import a script by its path without running its main part."""
    spec = spec_from_file_location(f'mmaction_stock_{path.stem}', path)
    script = module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


def _merged_config(script: ModuleType, args: Namespace) -> Config:
    """The config as the stock script is going to use it.

    Stock ``--resume auto`` drops ``load_from``, also where there is nothing
    to resume yet: a job that always says ``--resume auto``, so that it can be
    started again, would train from random weights. Then the option is taken
    out of the arguments.
    """
    if not Path(args.config).is_file():
        raise ConfigError(
            f'there is no config file {args.config}; the configs of this '
            'package are in its folder configs/'
        )
    cfg = read_config(args.config)
    options = args.cfg_options or {}
    wanted = options.get('load_from', cfg.get('load_from'))
    cfg = script.merge_args(cfg, args)
    if (
        getattr(args, 'resume', None) == 'auto'
        and wanted is not None
        and not _can_resume(cfg)
    ):
        print(
            f'--resume auto: nothing to resume in {cfg.work_dir}, so training '
            f'starts from {wanted}.',
            file=sys.stderr,
        )
        args.resume = None
        cfg = script.merge_args(read_config(args.config), args)
    # train.py merges these by itself, test.py only later; twice is harmless
    cfg.merge_from_dict(options)
    return cfg
