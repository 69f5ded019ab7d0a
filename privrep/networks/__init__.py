"""The emotion networks: encoders of frames and of words, the emotion head, the adversaries."""
