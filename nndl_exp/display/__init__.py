"""What a reader sees of runs and studies: figures, tables, statistics."""
