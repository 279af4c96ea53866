"""Show what the global path does in a video: one PNG each."""

from lgd_tools.cli import run_main
from lgd_tools.results.show_global_path import main

if __name__ == '__main__':
    run_main(main)
