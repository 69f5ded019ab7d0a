"""What a representation reveals of an attribute: each question with its test and its bound."""
