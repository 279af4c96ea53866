"""Detection from end to end on generated videos, in one command."""

from lgd_tools.cli import run_main
from lgd_tools.detection_example import main

if __name__ == '__main__':
    run_main(main)
