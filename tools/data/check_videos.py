"""Open and decode every video, and list those that training cannot read."""

from lgd_tools.cli import run_main
from lgd_tools.videos.check_videos import main

if __name__ == '__main__':
    run_main(main)
