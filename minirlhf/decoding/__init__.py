"""One token of every row at a time: on a CPU the step is recorded, on CUDA it is a graph."""
