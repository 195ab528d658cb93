"""The card of a class file: what it is, how it was made, what it says of itself."""

from __future__ import annotations

from ferrogen.generation.class_fit import ClassFit
from ferrogen.generation.datasets.description import DataDescription


def class_card(fit: ClassFit, data: DataDescription, model: str) -> str:
    """Write the card as Markdown.

    Args:
        fit: what was fitted.
        data: of whose labels.
        model: name or path of the weights.
    """
    spec = fit.prior.spec
    command = f"ferrogen classes {model} --data FOLDER --components {spec.facts['components']}"
    command += f" --rounds {spec.facts['rounds']} --seed {spec.facts['seed']}"
    settings = "\n".join(f"| `{name}` | {value} |" for name, value in spec.facts.items() if name != "code_accuracy")
    yields = ", ".join(f"{share:.1%}" for share in fit.yields)
    return f"""\
# Card: classes of the model `{model}`

| | |
|---|---|
| What | for each class at most {spec.components} Gaussians with full covariances in {spec.latent} latents |
| Classes | {", ".join(spec.names)} |
| Data | {data.source or data.name}, the labels of its training images |
| Licence of the data | {data.licence or "not stated"} |
| Fingerprint of the encoder | SHA-256 `{spec.encoder}` |

`ferrogen generate {model} --label NAME` draws with it: the chip's noise is the noise of a Gaussian, and another reading
of its cells chooses which one. How it is fitted and why: `src/ferrogen/generation/class_fit.py`.

## Figures

| figure | value |
|---|---|
| Held-out labelled images whose class the encoder's codes name | {fit.code_accuracy:.2%} (n = {fit.held_out}) |
| Log-likelihood of first members that a fit had not seen | {fit.held_out_log_likelihood:.2f} nats a latent vector |
| Draws beyond doubt for the encoder's codes, before refinement and after each round | {yields} |

## How it was made

```
{command}
```

| setting | value |
|---|---|
{settings}

## What it is not for

It knows the latents of these weights only. What lies between classes, and rare shapes at their edges, is drawn less
often than the model draws it without labels.
"""
