"""The demo corpus: random sentences, speakers and ratings, synthesised by espeak-ng."""
