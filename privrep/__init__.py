"""Privacy-enhanced multimodal representations for emotion recognition, in JAX and Flax."""
