"""The network once more, in PyTorch: the judge of tests/network_parity.rs.

Written plainly, with none of the rearrangements of src/network (nothing is projected before it is
resized, nothing is added where the paper joins), so that agreement means something.

    python msff.py WEIGHTS.safetensors CONFIG.json INPUT.f32 OUTPUT.f32 BATCH ROWS COLUMNS

INPUT and OUTPUT hold little-endian floats, B x 1 x H x W. The weights must fit exactly (strict).
"""

import json
import sys

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


class ConvBn(nn.Module):
    def __init__(self, source, target, kernel, stride=1, dilation=1):
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(source, target, kernel, stride, padding, dilation, bias=False)
        self.bn = nn.BatchNorm2d(target)

    def forward(self, x):
        return self.bn(self.conv(x))


def double(source, target, stride=1):
    return nn.ModuleList([ConvBn(source, target, 3, stride), ConvBn(target, target, 3)])


def chain(layers, x):
    for layer in layers:
        x = torch.relu(layer(x))
    return x


def enlarge(x, size):
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Residual(nn.Module):
    def __init__(self, source, target):
        super().__init__()
        self.first = ConvBn(source, target, 3)
        self.second = ConvBn(target, target, 3)
        if source != target:
            self.shortcut = ConvBn(source, target, 1)

    def forward(self, x):
        near = self.shortcut(x) if hasattr(self, "shortcut") else x
        return torch.relu(self.second(torch.relu(self.first(x))) + near)


class Ffm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        row = lambda c: nn.ModuleList([nn.Conv2d(s, c, 1, bias=False) for s in channels])
        self.project = nn.ModuleList([row(c) for c in channels])
        self.bn = nn.ModuleList([nn.BatchNorm2d(c) for c in channels])

    def forward(self, maps):
        fused = []
        for to, (row, bn) in enumerate(zip(self.project, self.bn)):
            size = maps[to].shape[2:]
            resized = [
                functional.adaptive_avg_pool2d(m, size) if m.shape[2] > size[0] else enlarge(m, size)
                for m in maps
            ]
            weight = torch.cat([layer.weight for layer in row], dim=1)
            fused.append(torch.relu(bn(functional.conv2d(torch.cat(resized, dim=1), weight))))
        return fused


class Gate(nn.Module):
    """Squeeze, excite; the sigmoid is the caller's."""

    def __init__(self, channels, bias):
        super().__init__()
        hidden = max(channels // 16, 4)
        self.squeeze = nn.Linear(channels, hidden, bias=bias)
        self.excite = nn.Linear(hidden, channels, bias=bias)

    def forward(self, summary):
        return self.excite(torch.relu(self.squeeze(summary)))


class Aspp(nn.Module):
    def __init__(self, source, target, rates):
        super().__init__()
        dilated = [ConvBn(source, target, 3, dilation=rate) for rate in rates]
        self.branches = nn.ModuleList([ConvBn(source, target, 1), *dilated])
        self.pool = nn.Conv2d(source, target, 1)
        self.project = ConvBn(target * (len(rates) + 2), target, 1)

    def forward(self, x):
        maps = [torch.relu(branch(x)) for branch in self.branches]
        mean = torch.relu(self.pool(functional.adaptive_avg_pool2d(x, 1)))
        maps.append(mean.expand(-1, -1, x.shape[2], x.shape[3]))
        return torch.relu(self.project(torch.cat(maps, dim=1)))


class Rcbam(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.channel = Gate(width, bias=False)
        self.first = Residual(width, width)
        self.spatial = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.second = Residual(2 * width, width)
        self.fuse = ConvBn(3 * width, width, 1)

    def forward(self, x):
        gates = torch.sigmoid(self.channel(x.mean((2, 3))) + self.channel(x.amax((2, 3))))
        y = torch.cat([x * gates[:, :, None, None], self.first(x)], dim=1)
        summary = torch.stack([y.mean(1), y.amax(1)], dim=1)
        gated = y * torch.sigmoid(self.spatial(summary))
        return torch.relu(self.fuse(torch.cat([gated, self.second(y)], dim=1)))


class Attention(nn.Module):
    """Query, key, value and out kernels; `extra` more channels enter queries and keys."""

    def __init__(self, width, extra):
        super().__init__()
        head = max(width // 4, 8)
        self.query = nn.Conv2d(width + extra, head, 1, bias=False)
        self.key = nn.Conv2d(width + extra, head, 1, bias=False)
        self.value = nn.Conv2d(width, head, 1, bias=False)
        self.out = nn.Conv2d(head, width, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))


def softmax_attention(query, key, value):
    """... x d x N queries, ... x d x M keys and values -> ... x d x N."""
    scores = query.transpose(-2, -1) @ key / query.shape[-2] ** 0.5
    return value @ scores.softmax(-1).transpose(-2, -1)


class Rbrab(nn.Module):
    def __init__(self, width, pool):
        super().__init__()
        self.refine = double(width, width)
        self.attention = Attention(width, 0)
        self.fuse = ConvBn(2 * width, width, 1)
        self.pool = pool

    def forward(self, x):
        t = chain(self.refine, x)
        a = self.attention
        key, value = (functional.max_pool2d(layer(t), self.pool).flatten(2) for layer in (a.key, a.value))
        seen = softmax_attention(a.query(t).flatten(2), key, value).unflatten(2, t.shape[2:])
        return torch.relu(self.fuse(torch.cat([x, t + a.gamma * a.out(seen)], dim=1)))


class Lprab(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width, 2)
        self.residual = Residual(width, width)

    def forward(self, x):
        batch, _, rows, columns = x.shape
        down = torch.linspace(-1, 1, rows).reshape(1, 1, -1, 1).expand(batch, 1, rows, columns)
        right = torch.linspace(-1, 1, columns).reshape(1, 1, 1, -1).expand(batch, 1, rows, columns)
        placed = torch.cat([x, down, right], dim=1)
        a = self.attention
        query, key, value = a.query(placed), a.key(placed), a.value(x)
        seen = torch.zeros_like(value)
        for top in range(0, rows, 8):
            for left in range(0, columns, 8):
                here = (..., slice(top, top + 8), slice(left, left + 8))
                window = softmax_attention(*(m[here].flatten(2) for m in (query, key, value)))
                seen[here] = window.unflatten(2, (8, 8))
        return self.residual(x + a.gamma * a.out(seen))


class Half(nn.Module):
    def __init__(self, source, target, stride):
        super().__init__()
        self.depth = nn.Conv2d(source, source, 3, stride, 1, groups=source, bias=False)
        self.point = nn.Conv2d(source, target, 1, bias=False)
        self.bn = nn.BatchNorm2d(target)

    def forward(self, x):
        return self.bn(self.point(self.depth(x)))


class Separable(nn.Module):
    def __init__(self, source, target, stride):
        super().__init__()
        self.first, self.second = Half(source, target, stride), Half(target, target, 1)
        if source != target:
            self.shortcut = ConvBn(source, target, 1)
        self.stride = stride

    def forward(self, x):
        near = functional.max_pool2d(x, 2) if self.stride == 2 else x
        near = self.shortcut(near) if hasattr(self, "shortcut") else near
        return torch.relu(self.second(torch.relu(self.first(x))) + near)


class Decoder(nn.Module):
    def __init__(self, width, skips):
        super().__init__()
        w = width
        self.initial = double(w, w, 2)
        self.encode = nn.ModuleList(
            [Separable(w, w, 2), Separable(w, 2 * w, 2), Separable(2 * w, 2 * w, 1)]
        )
        self.decode = nn.ModuleList([ConvBn(2 * w, w, 1), ConvBn(w, w, 1)])
        self.up = nn.ConvTranspose2d(w, w // 2, 2, 2, bias=False)
        self.bn = nn.BatchNorm2d(w // 2)
        self.head = nn.Conv2d(w // 2, 1, 1)
        self.skips = skips

    def forward(self, x):
        half = chain(self.initial, x)
        quarter = self.encode[0](half)
        y = self.encode[2](self.encode[1](quarter))
        for layer, skip in zip(self.decode, (quarter, half)):
            y = torch.relu(layer(enlarge(y, skip.shape[2:])))
            y = y + skip if self.skips else y
        return self.head(torch.relu(self.bn(self.up(y))))


class Msff(nn.Module):
    def __init__(self, config):
        super().__init__()
        w, without = config["width"], config["without"]
        outputs = [w, 2 * w, 4 * w, 8 * w, 16 * w]
        slices = 2 * config.get("neighbours", 0) + 1
        self.encoder = nn.ModuleList([double(i, o) for i, o in zip([slices, *outputs], outputs)])
        coarse = outputs[1:]
        if "ffm" not in without:
            self.ffm = Ffm(coarse)
        if "sem" not in without:
            self.sem = nn.ModuleList([Gate(c, bias=True) for c in coarse])
        self.reduce = nn.ModuleList([ConvBn(c, w, 1) for c in coarse])
        self.concat = config["aspp_input"] == "concat"
        joined = 4 * w if self.concat else w
        plain = "aspp" in without
        self.aspp = ConvBn(joined, w, 1) if plain else Aspp(joined, w, config["aspp_rates"])
        if "rcbam" not in without:
            self.rcbam = Rcbam(w)
        if "rbrab" not in without:
            self.rbrab = Rbrab(w, config["attention_pool"])
        if "lprab" not in without:
            self.lprab = Lprab(w)
        self.decoder = Decoder(w, config["skips"])

    def forward(self, x):
        size, maps, y = x.shape[2:], [], x
        for stage, layers in enumerate(self.encoder):
            y = chain(layers, y if stage == 0 else functional.max_pool2d(y, 2))
            maps.append(y)
        maps = maps[1:]
        if hasattr(self, "ffm"):
            maps = self.ffm(maps)
        if hasattr(self, "sem"):
            gates = [torch.sigmoid(g(m.mean((2, 3)))) for g, m in zip(self.sem, maps)]
            maps = [m * g[:, :, None, None] for m, g in zip(maps, gates)]
        maps = [enlarge(torch.relu(layer(m)), size) for layer, m in zip(self.reduce, maps)]
        y = torch.cat(maps, dim=1) if self.concat else sum(maps)
        y = self.aspp(y) if isinstance(self.aspp, Aspp) else torch.relu(self.aspp(y))
        for name in ("rcbam", "rbrab", "lprab"):
            if hasattr(self, name):
                y = getattr(self, name)(y)
        return self.decoder(y)


def run(build):
    """Does what the command line asks for, with the network that `build` makes of the configuration."""
    weights, config, source, target, *shape = sys.argv[1:]
    batch, rows, columns = map(int, shape)
    with open(config, encoding="utf-8") as file:
        network = build(json.load(file))
    network.load_state_dict(load_file(weights), strict=True)
    slices = numpy.fromfile(source, "<f4").reshape(batch, -1, rows, columns)
    with torch.no_grad():
        network.eval()(torch.from_numpy(slices)).numpy().astype("<f4").tofile(target)


if __name__ == "__main__":
    run(Msff)
