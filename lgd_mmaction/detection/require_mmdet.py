"""What detection needs beside recognition; imported by its configs.

``custom_imports = dict(imports=['lgd_mmaction', 'lgd_mmaction.detection'],
...)`` says in one sentence what is missing, before anything is built. The
package itself imports without mmdet and with mmcv-lite.
"""

from importlib import import_module

from lgd_mmaction.errors import ConfigError

NEEDED = {'mmcv.ops': 'mmcv==2.1.0', 'mmdet': 'mmdet==3.3.0'}
# mmcv and mmcv-lite own the same folder
REMEDY = (
    'pip uninstall -y mmcv mmcv-lite && pip install mmcv==2.1.0 mmdet==3.3.0'
)

for module, package in NEEDED.items():
    try:
        import_module(module)
    except Exception as error:  # mmdet asserts its versions
        reason = str(error).strip().split('\n', 1)[0]
        raise ConfigError(
            f'detection needs {package} ({module} cannot be imported: '
            f'{reason}); install it with: {REMEDY}'
        ) from None
