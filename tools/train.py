"""Train a model: hands over to the train.py of the installed mmaction2.

Example:
    python tools/train.py configs/lgd3d_r50_k400.py --work-dir work_dirs/a
"""

import sys

from lgd_mmaction.launch.stock_tools import run_stock_tool

if __name__ == '__main__':
    if {'-h', '--help'} & set(sys.argv):
        print(__doc__)
    run_stock_tool('train.py')
