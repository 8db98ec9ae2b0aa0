"""PDE solvers driven by the frequency principle."""
