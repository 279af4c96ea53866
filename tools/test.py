"""Test a checkpoint: hands over to the test.py of the installed mmaction2.

Example:
    python tools/test.py configs/lgd3d_r50_k400.py work_dirs/a/epoch_50.pth
"""

import sys

from lgd_mmaction.launch.stock_tools import run_stock_tool

if __name__ == '__main__':
    if {'-h', '--help'} & set(sys.argv):
        print(__doc__)
    run_stock_tool('test.py')
