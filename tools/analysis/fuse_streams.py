"""Fuses the scores of several streams: two-stream RGB and flow, say."""

from lgd_tools.cli import run_main
from lgd_tools.results.fuse_streams import main

if __name__ == '__main__':
    run_main(main)
