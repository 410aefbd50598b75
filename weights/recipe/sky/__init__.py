"""Procedural sky time-lapse clips: the training data of the model sky-64."""
