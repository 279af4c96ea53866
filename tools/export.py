"""Export a trained recognizer as ONNX or torch.export file, and check it."""

from lgd_tools.cli import run_main
from lgd_tools.prediction.export import main

if __name__ == '__main__':
    run_main(main)
