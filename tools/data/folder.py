"""Own videos: a folder of class folders -> train/val lists and label map."""

from lgd_tools.cli import run_main
from lgd_tools.lists.folder import main

if __name__ == '__main__':
    run_main(main)
