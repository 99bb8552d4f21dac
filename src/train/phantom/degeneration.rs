//! What ages and varies in a vertebral body without being a fracture: dense plates, bone islands,
//! haemangiomas, cysts, nutrient channels and an unfused corner.

use super::random::{NoiseBlock, Stream};
use super::ranges::ConfounderRanges;
use super::shape::{Vec3, dot, length, mix, scale, slab, smooth_step, sub, unit};
use super::vertebra::aged;

/// A round change inside the body.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spot {
    centre: Vec3,
    radius_mm: f32,
    kind: SpotKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum SpotKind {
    /// Compact bone or the content of a cyst: its own density.
    Even(f32),
    /// Haemangioma: fat between few thick trabeculae that run upwards.
    Striped,
}

/// Denser bone under one endplate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sclerosis {
    upper: bool,
    hu: f32,
    depth_mm: f32,
    towards: [f32; 2],
}

/// A canal of a vessel: point, direction, radius.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Channel {
    point: Vec3,
    along: Vec3,
    radius_mm: f32,
}

/// An unfused corner (limbus vertebra): a plane with dense edges that cuts off the front rim.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Corner {
    point: Vec3,
    normal: Vec3,
}

/// The changes of one body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Degeneration {
    spots: Vec<Spot>,
    sclerosis: Option<Sclerosis>,
    channel: Option<Channel>,
    corner: Option<Corner>,
}

impl Degeneration {
    /// Draws the changes of a body with half width, half depth (mm) and height.
    pub fn draw(stream: &mut Stream, size: Vec3, old: f32, of: &ConfounderRanges) -> Self {
        let island = SpotKind::Even(550.0 + 400.0 * stream.unit());
        let cyst = SpotKind::Even(-30.0 + 90.0 * stream.unit());
        let mut spots = Vec::new();
        for (chance, kind, least, most) in [
            (of.island, island, 1.5, 5.5),
            (of.haemangioma, SpotKind::Striped, 5.0, 11.0),
            (of.cyst, cyst, 1.5, 4.5),
        ] {
            let there = stream.chance(aged(chance, old));
            let centre = [0.7 * size[0], 0.7 * size[1], 0.35 * size[2]].map(|limit| stream.around(limit));
            let radius_mm = mix(least, most, stream.unit());
            if there {
                spots.push(Spot { centre, radius_mm, kind });
            }
        }
        Self {
            spots,
            sclerosis: draw_sclerosis(stream, old, of),
            channel: draw_channel(stream, size, of),
            corner: draw_corner(stream, size, of),
        }
    }

    /// The density `core` of cancellous bone at `p` as changed; `under` is the distance to the upper
    /// and to the lower plate.
    pub fn density(&self, core: f32, p: Vec3, under: [f32; 2], noise: &NoiseBlock) -> f32 {
        let mut hu = core;
        for spot in &self.spots {
            let d = length(sub(p, spot.centre)) - spot.radius_mm + 0.8 * noise.at(p, 2.5);
            let share = smooth_step(0.6, -0.6, d);
            let inside = match spot.kind {
                SpotKind::Even(hu) => hu,
                SpotKind::Striped => {
                    0.35 * core + 190.0 * smooth_step(0.9, 1.5, noise.at([p[0], p[1], 0.0], 1.3))
                }
            };
            hu = mix(hu, inside, share);
        }
        if let Some(dense) = self.sclerosis {
            let depth = under[usize::from(!dense.upper)];
            let facing = p[0] * dense.towards[0] + p[1] * dense.towards[1];
            hu += dense.hu
                * smooth_step(dense.depth_mm + 1.5, dense.depth_mm - 1.5, depth + 0.8 * noise.at(p, 4.0))
                * smooth_step(-9.0, 4.0, facing);
        }
        if let Some(channel) = self.channel {
            let from = sub(p, channel.point);
            let off = length(sub(from, scale(channel.along, dot(from, channel.along))));
            hu = mix(hu, -20.0, 0.8 * smooth_step(channel.radius_mm + 0.6, channel.radius_mm - 0.6, off));
        }
        if let Some(corner) = self.corner {
            let d = dot(sub(p, corner.point), corner.normal) + 0.5 * noise.at(p, 3.0);
            hu += 220.0 * (slab(d, 5.0, 1.0) - slab(d, 1.4, 1.0)).max(0.0);
            hu = mix(hu, 70.0, slab(d, 1.4, 0.8));
        }
        hu
    }
}

fn draw_sclerosis(stream: &mut Stream, old: f32, of: &ConfounderRanges) -> Option<Sclerosis> {
    let there = stream.chance(aged(of.sclerosis, old));
    let angle = stream.around(std::f32::consts::PI);
    let dense = Sclerosis {
        upper: stream.chance(0.5),
        hu: 60.0 + 240.0 * stream.unit(),
        depth_mm: 2.5 + 5.0 * stream.unit(),
        towards: [angle.sin(), -angle.cos()],
    };
    there.then_some(dense)
}

fn draw_channel(stream: &mut Stream, [a, b, h]: Vec3, of: &ConfounderRanges) -> Option<Channel> {
    let there = stream.chance(of.channel.lo);
    let channel = Channel {
        point: [stream.around(0.5 * a), stream.around(0.4 * b), stream.around(0.2 * h)],
        along: unit([stream.around(1.0), stream.around(1.0), stream.around(0.35)]),
        radius_mm: 0.4 + 0.7 * stream.unit(),
    };
    there.then_some(channel)
}

fn draw_corner(stream: &mut Stream, [_, b, h]: Vec3, of: &ConfounderRanges) -> Option<Corner> {
    let there = stream.chance(of.corner.lo);
    let up = stream.sign();
    let inwards = 3.0 + 4.0 * stream.unit();
    let corner = Corner {
        point: [0.0, -b + inwards, up * (h / 2.0 - inwards)],
        normal: unit([stream.around(0.2), -1.0, up]),
    };
    there.then_some(corner)
}
