"""Where the code of a submission runs: walls, limits, and the kernel behind them."""
