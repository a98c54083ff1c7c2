"""What is claimed of Tinytown, and what is made to measure it alone: `minirlhf prove`.

In the order of reading: `claims`, the lines of docs/proof.md with their bounds; `voted`, a start
that has seen everybody's votes, from which the shipped one is told apart.
"""
