"""Proposing trials: results go in, the next trial comes out. Nothing here reads or writes files."""
