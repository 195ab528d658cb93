"""Question: how good is what came out: the images, and the latents behind them?

Enters: arrays of images, features, class probabilities or latents, and a reference set.
Leaves: scores, each with its number of samples, a 95 % interval and its definition.
Not here: anything that knows of chips, models or noise sources; figures and reports.
"""
