"""Compute the optical flow of videos, as training reads it, resumably."""

from lgd_tools.cli import run_main
from lgd_tools.videos.extract_flow import main

if __name__ == '__main__':
    run_main(main)
