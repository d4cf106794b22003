"""Storms: machines that want hosts at one instant, and nothing but their claims."""
