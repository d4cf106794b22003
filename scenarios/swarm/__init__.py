"""Random worlds: drawn from a seed, played by the thousand, and shrunk where one fails."""
