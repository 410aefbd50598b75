"""Families of transformers at equal parameters and equal training compute (`python -m recipe.compare --help`)."""
