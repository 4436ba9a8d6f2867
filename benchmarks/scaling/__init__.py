"""How a study scales: two workers, the overhead, 32 workers that sleep, the 5,000th proposal."""
