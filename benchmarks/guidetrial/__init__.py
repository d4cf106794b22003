"""The troubleshooting guide on trial: its numbers as experiments, its command blocks as tests."""
