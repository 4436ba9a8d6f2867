"""The record of a run: a folder that holds all of it, and the circumstances it was made in."""

from nndl_exp.records.run_directory import Result, RunDirectory

__all__ = ["Result", "RunDirectory"]
