"""Ways to compute what transformers' models compute in less time on a CPU: the same maths.

    `modules`       faster ones in the place of a model's own
    `unread`        leaves out what nobody reads; a tenth to a seventh of a stage's forward and
                    backward passes in the last layer's MLP, more in a large output layer
    `matmul`        products by oneDNN, twice as fast as MKL on AMD's processors with AVX-512
    `mask_support`  finds out which models may share a row between texts

What reaches into live objects is `modules` and `unread`, nothing else.
"""
