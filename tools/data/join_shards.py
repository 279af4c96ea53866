"""Join the journals of a run that was shared out; say what is missing."""

from lgd_tools.cli import run_main
from lgd_tools.videos.join_shards import main

if __name__ == '__main__':
    run_main(main)
