"""The demo corpus: sentences, speakers and ratings from random numbers, spoken by espeak-ng."""
