"""Mean and spread over the splits of a data set, ready for a table."""

from lgd_tools.cli import run_main
from lgd_tools.results.summarise_splits import main

if __name__ == '__main__':
    run_main(main)
