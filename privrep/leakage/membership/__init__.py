"""Membership inference: was this speaker among the training speakers of the network?"""
