"""The audit: label table and representations in; verdict, JSON and card out."""
