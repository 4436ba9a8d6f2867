"""Studies: which run to try next (Optuna), trained by workers, resumable and deterministic."""

from nndl_exp.study.study import Study

__all__ = ["Study"]
