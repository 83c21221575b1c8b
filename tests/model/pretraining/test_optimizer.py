"""Kernels move in all directions alike; biases and the ends of a network as with AdamW."""

import copy

import torch
from fedscan.model.pretraining.optimizer import MuonAndAdam
from torch import nn

RATE = 0.01


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 1, 3))
    optimizer = MuonAndAdam(
        list(layers.parameters()), [*layers[0].parameters(), *layers[2].parameters()], RATE
    )
    return layers, optimizer


def train(layers, optimizer, images):
    for image in images:
        optimizer.zero_grad()
        layers(image).square().mean().backward()
        optimizer.step(RATE)


def test_a_kernel_moves_as_far_in_weak_directions_as_in_strong_ones():
    layers, optimizer = network()
    kernel = layers[1].weight
    before = kernel.detach().clone()
    across, _ = torch.linalg.qr(torch.randn(16, 16))
    along, _ = torch.linalg.qr(torch.randn(72, 16))
    gradient = across @ torch.diag(torch.logspace(0, -1, 16)) @ along.T
    kernel.grad = gradient.reshape(kernel.shape)
    optimizer.step(RATE)
    moved = (before - kernel.detach()).flatten(1) / RATE
    strengths = torch.linalg.svdvals(moved)
    assert strengths.min() > 0.5 * strengths.max()
    assert (moved * gradient).sum() > 0
    # As large as AdamW's steps, of which every number moves by a fifth of the rate or so.
    torch.testing.assert_close(moved.square().mean().sqrt(), torch.tensor(0.2), rtol=0.3, atol=0)


def test_ends_and_biases_move_as_with_adamw():
    layers, optimizer = network()
    before = {name: each.detach().clone() for name, each in layers.named_parameters()}
    train(layers, optimizer, torch.randn(1, 4, 1, 9, 9))
    for name, each in layers.named_parameters():
        if name != "1.weight":
            # The first step of Adam is the gradient's sign.
            expected = before[name] * (1 - RATE * 1e-4) - RATE * each.grad.sign()
            torch.testing.assert_close(each.detach(), expected, rtol=0, atol=1e-5)


def test_it_goes_on_from_its_state():
    images = torch.randn(4, 4, 1, 9, 9)
    layers, optimizer = network()
    train(layers, optimizer, images[:2])
    weights = {name: each.clone() for name, each in layers.state_dict().items()}
    state = copy.deepcopy(optimizer.state_dict())
    train(layers, optimizer, images[2:])
    others, other = network()
    others.load_state_dict(weights)
    other.load_state_dict(state)
    train(others, other, images[2:])
    for mine, theirs in zip(layers.parameters(), others.parameters(), strict=True):
        assert torch.equal(mine, theirs)
