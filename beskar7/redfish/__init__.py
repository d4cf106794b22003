"""The BMC port: sushy behind one small protocol, vendor differences as data."""
