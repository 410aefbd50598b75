"""Training and export recipes (PyTorch); nothing here ships to the browser."""
