"""Action recognition from end to end in minutes, without any data."""

from lgd_tools.cli import run_main
from lgd_tools.quickstart import main

if __name__ == '__main__':
    run_main(main)
