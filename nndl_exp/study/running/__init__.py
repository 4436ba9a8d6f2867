"""Running one search by any number of processes."""
