"""Vendors, one YAML file each; a package so that the files are installed with the code."""
