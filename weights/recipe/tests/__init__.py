"""Tests of the recipes; they run in seconds on one core."""
