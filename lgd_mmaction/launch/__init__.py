"""What tools/train.py and tools/test.py do before the stock scripts."""
