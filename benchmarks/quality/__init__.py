"""How good the configuration is that the strategy recommends, against others that search."""
