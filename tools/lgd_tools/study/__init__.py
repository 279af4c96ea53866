"""The study: when and why local and global diffusion help, on made clips."""
