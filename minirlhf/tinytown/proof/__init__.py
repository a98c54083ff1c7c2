"""What is claimed of Tinytown, and what is made to measure it alone: `minirlhf prove`.

In the order of reading: `claims`, the lines of docs/proof.md with their bounds; `start`, what a
start knows before any ranking; `teaching`, what rankings teach; `direction`, that they decide where
it goes; `kwise`, a prompt's pairs together or apart; `ladder`, all models at all sizes; `voted`, a
start that has seen everybody's votes, from which the shipped one is told apart; `parts`, all of
these for a seed.
"""
