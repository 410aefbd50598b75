"""Procedural sky time-lapse clips: the training data of the models sky-64 and sky-128."""
