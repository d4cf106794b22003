"""From a recorded log of a real BMC's answers to a personality that answers like it."""
