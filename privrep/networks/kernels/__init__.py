"""The fast forms of convolution and GRU; each is held to a plain form by its tests."""
