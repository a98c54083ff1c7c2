"""Data sets of every stage: reading, checking, tokenising, batching, packing."""
