"""The study: when and why local and global diffusion help, on made clips.

task      batches of two objects, a chosen distance apart
networks  the networks and heads that are compared, and what each can see
training  one run: train, test, a dict of results
plan      all runs, in the order of what they tell; the learning rates
run       the command: runs in processes, resumable, one JSON each
report    tables and the figures of docs/study.md from the JSON
"""
