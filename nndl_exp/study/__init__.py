"""Studies: which run to try next (Optuna), trained by workers, resumable and deterministic."""
