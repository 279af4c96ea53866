"""Report a run: curves, confusion matrix, predicted clips and a summary."""

from lgd_tools.cli import run_main
from lgd_tools.results.report_run import main

if __name__ == '__main__':
    run_main(main)
