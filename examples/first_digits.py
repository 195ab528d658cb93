"""Make a few digits on a chip, and look at what its noise is worth."""

import ferrogen as fg

card = fg.load_card("hzo-mfis-nor")
chip = fg.Chip(card, seed=7)
point = fg.OperatingPoint(sample_voltage=1.2, multiply_voltage=0.1, sampling_time=1e-3)
generator = fg.ChipGenerator("mnist", chip, point)

images = generator.images(0, 8)
again = generator.images(5, 1)
print("image 5 is the same however it is asked for:", bool((images[5] == again[0]).all()))
print(f"latents per image: {generator.latents}, cells per latent: {generator.sampler.cells_per_latent}")
print(f"telegraph noise is {generator.sampler.telegraph_share():.1%} of the variance of a reading")
print(f"chip time an image: {1e3 * (2 * point.sampling_time + point.reset):.1f} ms")
print("assumed, not measured:")
for line in card.assumptions()[:3]:
    print("  ", line)
