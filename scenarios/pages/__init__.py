"""Answers on one page each: question, answer, figures with intervals, plots that can be asked."""
