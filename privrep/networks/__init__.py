"""The emotion networks: encoders of frames and of words, and the heads on them."""
