"""Leaf classifiers on image features: what the pictures alone say about their leaf."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from taxonomy.errors import ManifestError
from taxonomy.manifest.draws import Floats, Ints
from xmodal.features.extract import FeatureSet, one_thread

SHRINKAGES = (0.03, 0.1, 0.3, 1.0)
"""Of the discriminant's covariance towards a multiple of the identity."""
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.1, 20.0, 54))
_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A network with one hidden layer, trained on all views of the pictures."""

    hidden: int = 512
    dropout: float = 0.2
    noise: float = 0.3
    """Standard deviation of the noise that each feature gets."""
    n_steps: int = 1500
    batch_size: int = 128
    lr: float = 5e-3
    """Largest learning rate, of one cycle."""
    weight_decay: float = 0.1


NETWORK = NetworkConfig()


@dataclass(frozen=True)
class Pictures:
    """Pictures to learn from or to judge. N of them, classes 0 to C - 1."""

    images: Ints
    """int64 [N], ids."""
    classes: Ints
    """int64 [N]."""


def pooled(features: FeatureSet) -> Tensor:
    """All rows of a feature set as directions: the mean of a picture's tokens, scaled.

    Returns:
        float32 [n_rows, Dv], each of length sqrt(Dv); zero where the mean is.
    """
    array = features.open()
    parts = []
    for start in range(0, len(array), _ROWS):
        mean = torch.from_numpy(array[start : start + _ROWS].mean(axis=1, dtype=np.float64))
        parts.append((nn.functional.normalize(mean) * mean.shape[1] ** 0.5).float())
    return torch.cat(parts)


def network_logits(
    shown: Tensor,
    features: FeatureSet,
    train: Pictures,
    n_classes: int,
    seed: int,
    config: NetworkConfig = NETWORK,
) -> Tensor:
    """Train the network and apply it to every picture's first view.

    Args:
        shown: float32 [n_rows, Dv], rows as the feature set has them.
        features: Says where the views of a picture are.
        train: What it learns from.
        n_classes: C.
        seed: Of weights, batches and noise.
        config: Its shape and training.

    Returns:
        float32 [n_images, C].
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(shown.shape[1], config.hidden), nn.GELU(),
            nn.Dropout(config.dropout), nn.Linear(config.hidden, n_classes),
        )  # fmt: skip
        optimiser = torch.optim.AdamW(net.parameters(), config.lr, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.lr, total_steps=config.n_steps
        )
        classes = torch.from_numpy(train.classes)
        for _ in range(config.n_steps):
            drawn = torch.randint(len(train.images), (config.batch_size,))
            views = torch.randint(features.config.n_views, (config.batch_size,)).numpy()
            rows = features.rows(train.images[drawn.numpy()], views)
            batch = shown[torch.from_numpy(rows)]
            said = net(batch + config.noise * torch.randn_like(batch))
            loss = nn.functional.cross_entropy(said, classes[drawn])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            logits: Tensor = net.eval()(shown[: features.n_images])
    return logits


class Discriminant:
    """Linear discriminant with one covariance for all classes, in closed form."""

    def __init__(
        self, shown: Tensor, features: FeatureSet, train: Pictures, n_classes: int
    ) -> None:
        """Means and covariance over all views; float32 [n_rows, Dv] shown."""
        views = np.arange(features.config.n_views)
        images = np.repeat(train.images, len(views))
        rows = torch.from_numpy(features.rows(images, np.tile(views, len(train.images))))
        classes = torch.from_numpy(np.repeat(train.classes, len(views)))
        width = shown.shape[1]
        counts = torch.bincount(classes, minlength=n_classes).double()
        self.means = torch.zeros(n_classes, width, dtype=torch.float64)
        self.covariance = torch.zeros(width, width, dtype=torch.float64)
        with one_thread():
            for part in torch.split(torch.arange(len(rows)), _ROWS):
                self.means.index_add_(0, classes[part], shown[rows[part]].double())
            self.means /= counts.clamp_min(1)[:, None]
            for part in torch.split(torch.arange(len(rows)), _ROWS):
                off = shown[rows[part]].double() - self.means[classes[part]]
                self.covariance += off.T @ off
        self.covariance /= len(rows)
        self.log_prior = (counts / counts.sum()).log()

    def logits(self, shown: Tensor, shrinkage: float) -> Tensor:
        """Log posteriors but for a constant a row; [N, Dv] to float64 [N, C].

        Args:
            shown: What is judged.
            shrinkage: Weight of the multiple of the identity, 0 to 1.
        """
        with one_thread():
            spread = float(self.covariance.diagonal().mean()) or 1.0
            shrunk = (1 - shrinkage) * self.covariance
            shrunk.diagonal().add_(shrinkage * spread)
            weights = torch.linalg.solve(shrunk, self.means.T)
            bias = self.log_prior - (self.means.T * weights).sum(0) / 2
            said: Tensor = shown.double() @ weights + bias
        return said


def temperature(logits: Tensor, classes: Tensor) -> float:
    """The one of TEMPERATURES under which the classes are likeliest.

    Args:
        logits: float64 [N, C].
        classes: int64 [N].
    """
    losses = [float(nn.functional.cross_entropy(logits / t, classes)) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


@dataclass(frozen=True)
class Posterior:
    """What a classifier believes of every picture of a dataset, and how it was chosen."""

    probabilities: Floats
    """float64 [n_images, C]."""
    settings: dict[str, Any]


def leaf_posterior(
    shown: Tensor,
    features: FeatureSet,
    train: Pictures,
    validation: Pictures,
    n_classes: int,
    seed: int,
) -> Posterior:
    """Train several classifiers, keep the one that names most validation pictures.

    The candidates are a linear discriminant under each of SHRINKAGES and a network; of equals
    the first. Its logits are divided by the temperature that suits the validation pictures.

    Args:
        shown: float32 [n_rows, Dv], as pooled gives it.
        features: Says where the views of a picture are.
        train: What is learnt from; every class has a picture.
        validation: What the choice is made on.
        n_classes: C.
        seed: Of the network.

    Raises:
        ManifestError: There is nothing to learn from or to choose on.
    """
    for name, of in (("training", train), ("validation", validation)):
        if not len(of.images):
            raise ManifestError(
                f"a leaf classifier needs {name} pictures of leaves that are in questions, "
                f"dataset {features.dataset_id} has none; give its pictures a {name} split"
            )
    discriminant = Discriminant(shown, features, train, n_classes)
    candidates: list[tuple[dict[str, Any], Tensor]] = [
        (
            {"classifier": "discriminant", "shrinkage": shrinkage},
            discriminant.logits(shown[: features.n_images], shrinkage),
        )
        for shrinkage in SHRINKAGES
    ]
    network = network_logits(shown, features, train, n_classes, seed).double()
    candidates.append(({"classifier": "network", "seed": seed, **asdict(NETWORK)}, network))
    judged, classes = torch.from_numpy(validation.images), torch.from_numpy(validation.classes)
    right = [int((said[judged].argmax(1) == classes).sum()) for _, said in candidates]
    settings, logits = candidates[int(np.argmax(right))]
    with one_thread():
        heat = temperature(logits[judged], classes)
        probabilities = (logits / heat).softmax(1).numpy()
    accuracy = max(right) / len(classes)
    return Posterior(
        probabilities, {**settings, "temperature": heat, "validation_leaf_accuracy": accuracy}
    )
