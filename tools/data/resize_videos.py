"""Re-encode videos to a short side with close key frames, resumably."""

from lgd_tools.cli import run_main
from lgd_tools.videos.resize_videos import main

if __name__ == '__main__':
    run_main(main)
