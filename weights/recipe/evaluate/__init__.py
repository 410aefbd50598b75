"""How good a model is, in numbers (`python -m recipe.evaluate --help`): clips in, tables out."""
