"""Draw what one object changes at another, far away: plain and LGD."""

from lgd_tools.cli import run_main
from lgd_tools.study.influence import main

if __name__ == '__main__':
    run_main(main)
