"""Trains a network on scikit-learn's digits, with weights and activations of 4 bits, through a quantd server.

    train_digits.py [--server ADDRESS] [--in-process]

Then trains the same network with the same formulas in this process, and prints the test accuracy of both.
"""

import argparse
import functools
import time

import quantd
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from fake_quantization import FakeQuantize, FakeQuantizeInProcess

NUM_BITS = 4
EPOCHS = 20
BATCH_SIZE = 64


class QuantizedLinear(nn.Linear):
    """A linear layer whose weights have one range per output, symmetric about zero and computed from them."""

    def __init__(self, fake_quantize, in_features, out_features):
        super().__init__(in_features, out_features)
        self.fake_quantize = fake_quantize

    def forward(self, inputs):
        # The range is not a parameter here, because it follows from the weights.
        bound = self.weight.detach().abs().amax(dim=1)
        weight = self.fake_quantize(self.weight, -bound, bound, NUM_BITS, True, 0)
        return nn.functional.linear(inputs, weight, self.bias)


class QuantizedReLU(nn.Module):
    """An activation whose range is learned."""

    def __init__(self, fake_quantize):
        super().__init__()
        self.fake_quantize = fake_quantize
        self.min = nn.Parameter(torch.tensor(0.0))
        self.max = nn.Parameter(torch.tensor(6.0))

    def forward(self, inputs):
        return self.fake_quantize(torch.relu(inputs), self.min, self.max, NUM_BITS)


def make_network(fake_quantize):
    return nn.Sequential(
        QuantizedLinear(fake_quantize, 64, 64), QuantizedReLU(fake_quantize),
        QuantizedLinear(fake_quantize, 64, 32), QuantizedReLU(fake_quantize),
        QuantizedLinear(fake_quantize, 32, 10))


def load_data():
    """Returns training data and test data: images of 8 x 8 pixels from 0 to 1, and the digits they show."""
    images, digits = load_digits(return_X_y=True)
    train_images, test_images, train_digits, test_digits = train_test_split(
        torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits), test_size=0.25,
        stratify=digits, random_state=0)
    return (train_images, train_digits), (test_images, test_digits)


def train(fake_quantize):
    """Trains a network with fixed initial weights and batches, and returns its accuracy on the test data."""
    torch.manual_seed(0)
    network = make_network(fake_quantize)
    (images, digits), (test_images, test_digits) = load_data()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), digits[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return (network(test_images).argmax(dim=1) == test_digits).double().mean().item()


def report(where, fake_quantize):
    started = time.perf_counter()
    accuracy = train(fake_quantize)
    seconds = time.perf_counter() - started
    print(f"{where}: {accuracy:.2%} of the test images are recognized, after {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="localhost:50051",
                        help="where quantd listens (default: %(default)s)")
    parser.add_argument("--in-process", action="store_true",
                        help="train in this process only, without a server")
    arguments = parser.parse_args()
    if not arguments.in_process:
        with quantd.Client(arguments.server) as client:
            # Calls would try for a minute.
            client.wait_until_connected(timeout=5)
            report("quantd", functools.partial(FakeQuantize.apply, client))
    report("this process", FakeQuantizeInProcess.apply)


if __name__ == "__main__":
    main()
