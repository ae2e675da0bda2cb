"""What decides everything and performs nothing: no input, no output, no clock, no randomness."""
