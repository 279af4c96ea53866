"""Draw true and predicted tubes on the video: an mp4 and a contact sheet."""

from lgd_tools.cli import run_main
from lgd_tools.tubes.draw_tubes import main

if __name__ == '__main__':
    run_main(main)
