"""The baselines once more, in PyTorch: the judge of tests/baselines_parity.rs.

Written plainly from the papers' descriptions, with PyTorch's own LSTM, unpooling and modules where it
has them. Same arguments as msff.py; CONFIG.json holds {"kind": ..., "width": ...}.
"""

import torch
from msff import ConvBn, chain, double, enlarge, run
from torch import nn
from torch.nn import functional

VGG16 = [(1, 2), (2, 2), (4, 3), (8, 3), (8, 3)]


def threes(channels):
    return nn.ModuleList([ConvBn(i, o, 3) for i, o in zip(channels, channels[1:])])


def vgg16(width):
    before, stages = 1, []
    for times, count in VGG16:
        stages.append(threes([before] + [times * width] * count))
        before = times * width
    return nn.ModuleList(stages)


class UNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        c = [width * 2**stage for stage in range(5)]
        self.down = nn.ModuleList([double(i, o) for i, o in zip([1, *c], c)])
        self.enlarge = nn.ModuleList([nn.ConvTranspose2d(2 * n, n, 2, 2) for n in c[:4]])
        self.up = nn.ModuleList([double(2 * n, n) for n in c[:4]])
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        maps = []
        for stage, layers in enumerate(self.down):
            x = chain(layers, x if stage == 0 else functional.max_pool2d(x, 2))
            maps.append(x)
        for stage in (3, 2, 1, 0):
            x = chain(self.up[stage], torch.cat([maps[stage], self.enlarge[stage](x)], dim=1))
        return self.head(x)


class UNetPlusPlus(nn.Module):
    def __init__(self, width):
        super().__init__()
        c = [width * 2**row for row in range(5)]
        row = lambda r: [double(1 if r == 0 else c[r - 1], c[r])] + [
            double(c[r] * column + c[r + 1], c[r]) for column in range(1, 5 - r)
        ]
        self.nodes = nn.ModuleList([nn.ModuleList(row(r)) for r in range(5)])
        self.heads = nn.ModuleList([nn.Conv2d(width, 1, 1) for _ in range(4)])

    def forward(self, x):
        seen = {(0, 0): chain(self.nodes[0][0], x)}
        for r in range(1, 5):
            seen[r, 0] = chain(self.nodes[r][0], functional.max_pool2d(seen[r - 1, 0], 2))
        for column in range(1, 5):
            for r in range(5 - column):
                below = enlarge(seen[r + 1, column - 1], seen[r, 0].shape[2:])
                before = [seen[r, n] for n in range(column)]
                seen[r, column] = chain(self.nodes[r][column], torch.cat([*before, below], dim=1))
        if not self.training:
            return self.heads[3](seen[0, 4])
        return sum(head(seen[0, n + 1]) for n, head in enumerate(self.heads)) / 4


class Fcn8s(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stages = vgg16(width)
        dense = 64 * width
        self.dense = nn.ModuleList(
            [nn.Conv2d(8 * width, dense, 7, padding=3), nn.Conv2d(dense, dense, 1)]
        )
        self.score = nn.Conv2d(dense, 1, 1)
        self.score_sixteenth = nn.Conv2d(8 * width, 1, 1)
        self.score_eighth = nn.Conv2d(4 * width, 1, 1)
        shapes = [(4, 2, 1), (4, 2, 1), (16, 8, 4)]
        self.enlarge = nn.ModuleList([nn.ConvTranspose2d(1, 1, *shape) for shape in shapes])

    def forward(self, x):
        maps = []
        for layers in self.stages:
            x = functional.max_pool2d(chain(layers, x), 2)
            maps.append(x)
        for layer in self.dense:
            x = functional.dropout(torch.relu(layer(x)), 0.5, self.training)
        x = self.enlarge[0](self.score(x)) + self.score_sixteenth(maps[3])
        x = self.enlarge[1](x) + self.score_eighth(maps[2])
        return self.enlarge[2](x)


class SegNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encode = vgg16(width)
        outputs = [1, 1, 2, 4, 8]
        self.decode = nn.ModuleList(
            [
                threes([times * width] * count + [output * width])
                for (times, count), output in zip(VGG16, outputs)
            ]
        )
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        places = []
        for layers in self.encode:
            x, where = functional.max_pool2d(chain(layers, x), 2, return_indices=True)
            places.append(where)
        for layers, where in zip(reversed(self.decode), reversed(places)):
            x = chain(layers, functional.max_unpool2d(x, where, 2))
        return self.head(x)


class Bottleneck(nn.Module):
    def __init__(self, source, inner, stride, dilation):
        super().__init__()
        self.reduce = ConvBn(source, inner, 1)
        self.middle = ConvBn(inner, inner, 3, stride, dilation)
        self.expand = ConvBn(inner, 4 * inner, 1)
        if source != 4 * inner or stride != 1:
            self.shortcut = ConvBn(source, 4 * inner, 1, stride)

    def forward(self, x):
        near = self.shortcut(x) if hasattr(self, "shortcut") else x
        return torch.relu(self.expand(chain([self.reduce, self.middle], x)) + near)


class Separable(nn.Module):
    """The ReLU is chain's."""

    def __init__(self, source, target, rate=1):
        super().__init__()
        self.depth = nn.Conv2d(source, source, 3, 1, rate, rate, groups=source, bias=False)
        self.point = nn.Conv2d(source, target, 1, bias=False)
        self.bn = nn.BatchNorm2d(target)

    def forward(self, x):
        return self.bn(self.point(self.depth(x)))


class Pyramid(nn.Module):
    def __init__(self, source, target):
        super().__init__()
        self.point = ConvBn(source, target, 1)
        self.branches = nn.ModuleList([Separable(source, target, rate) for rate in (6, 12, 18)])
        self.pool = nn.Conv2d(source, target, 1)
        self.project = ConvBn(5 * target, target, 1)

    def forward(self, x):
        maps = [torch.relu(branch(x)) for branch in [self.point, *self.branches]]
        mean = torch.relu(self.pool(functional.adaptive_avg_pool2d(x, 1)))
        maps.append(mean.expand(-1, -1, x.shape[2], x.shape[3]))
        return torch.relu(self.project(torch.cat(maps, dim=1)))


class DeepLab(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = ConvBn(1, width, 7, 2)
        source, stages = width, []
        for n, (blocks, stride, dilation) in enumerate([(3, 1, 1), (4, 2, 1), (6, 2, 1), (3, 1, 2)]):
            inner = width * 2**n
            first = Bottleneck(source, inner, stride, dilation)
            source = 4 * inner
            stages.append(
                nn.Sequential(first, *[Bottleneck(source, inner, 1, dilation) for _ in range(blocks - 1)])
            )
        self.stages = nn.ModuleList(stages)
        wide, low = 4 * width, 3 * width // 4
        self.aspp = Pyramid(source, wide)
        self.low = ConvBn(4 * width, low, 1)
        self.decode = nn.ModuleList([Separable(wide + low, wide), Separable(wide, wide)])
        self.head = nn.Conv2d(wide, 1, 1)

    def forward(self, x):
        size = x.shape[2:]
        quarter = self.stages[0](functional.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1))
        deep = self.stages[3](self.stages[2](self.stages[1](quarter)))
        context = enlarge(self.aspp(deep), quarter.shape[2:])
        y = chain(self.decode, torch.cat([context, torch.relu(self.low(quarter))], dim=1))
        return enlarge(self.head(y), size)


class Enlarge(nn.Module):
    """The ReLU is chain's."""

    def __init__(self, source, target):
        super().__init__()
        self.up = nn.ConvTranspose2d(source, target, 3, 2, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(target)

    def forward(self, x):
        return self.bn(self.up(x))


class SpineGan(nn.Module):
    def __init__(self, width):
        super().__init__()
        w, deep = width, 4 * width
        self.wide = nn.ModuleList([ConvBn(1, w, 7), ConvBn(w, w, 7)])
        self.middle = threes([w, 2 * w, 2 * w])
        sources = [2 * w, deep, deep, deep]
        self.atrous = nn.ModuleList(
            [ConvBn(s, deep, 3, dilation=rate) for s, rate in zip(sources, (2, 4, 8, 16))]
        )
        self.lstm = nn.LSTM(deep, deep, batch_first=True, bidirectional=True)
        self.local = nn.ModuleList([Enlarge(2 * deep, deep), Enlarge(deep, deep)])
        self.enlarge = nn.ModuleList([Enlarge(deep, deep), Enlarge(deep, deep)])
        self.reduce = ConvBn(deep, 2 * w, 1)
        self.head = nn.Conv2d(2 * w, 1, 1)

    def forward(self, x):
        x = functional.max_pool2d(chain(self.wide, x), 2)
        x = functional.max_pool2d(chain(self.middle, x), 2)
        near = chain(self.atrous, x)
        pooled = functional.avg_pool2d(near, 4)
        places, _ = self.lstm(pooled.flatten(2).permute(0, 2, 1))
        far = chain(self.local, places.permute(0, 2, 1).unflatten(2, pooled.shape[2:]))
        return self.head(chain([*self.enlarge, self.reduce], near + far))


KINDS = {
    "unet": UNet,
    "unetpp": UNetPlusPlus,
    "fcn8s": Fcn8s,
    "segnet": SegNet,
    "deeplabv3plus": DeepLab,
    "spinegan": SpineGan,
}

if __name__ == "__main__":
    run(lambda config: KINDS[config["kind"]](config["width"]))
