"""The book's results, a script each: python -m experiments."""
