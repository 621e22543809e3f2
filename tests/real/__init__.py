"""Against real agent servers from npm, with a scripted model behind them. Run by `make real` only."""
