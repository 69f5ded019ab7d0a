"""Measurements of the information about private attributes that h carries, with test and bound."""
