"""What the client costs, measured on the machine at hand: `make bench`."""
