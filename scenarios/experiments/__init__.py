"""Experiments: questions, each with the sweep that answers it, as files beside this one."""
