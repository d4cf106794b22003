"""One scenario at three levels: model, code in virtual time, live."""
