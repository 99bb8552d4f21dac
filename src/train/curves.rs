//! `curves.png`: loss, overlap and learning rate over the epochs.

use super::canvas::Canvas;
use super::log::Epoch;
use image::{ImageFormat, Rgb, RgbImage};
use plotters::prelude::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Name of the file in the output folder.
pub const CURVES_FILE: &str = "curves.png";

const SIZE: (u32, u32) = (900, 960);

/// Why there is no picture.
#[derive(Debug, Error)]
pub enum CurvesError {
    /// plotters refused.
    #[error("{CURVES_FILE}: {reason}")]
    Draw {
        /// What it said.
        reason: String,
    },
    /// The file could not be written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A name, a colour and a value of every epoch.
type Line = (&'static str, RGBColor, fn(&Epoch) -> f64);

/// Draws the whole log anew.
pub fn draw(folder: &Path, log: &[Epoch]) -> Result<(), CurvesError> {
    let mut picture = RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([255; 3]));
    if !log.is_empty() {
        panels(&mut picture, log).map_err(|reason| CurvesError::Draw { reason })?;
    }
    let mut bytes = Cursor::new(Vec::new());
    let encoded = picture.write_to(&mut bytes, ImageFormat::Png);
    encoded.map_err(|e| CurvesError::Draw { reason: e.to_string() })?;
    let path = folder.join(CURVES_FILE);
    crate::network::replace_file(&path, bytes.get_ref()).map_err(|source| CurvesError::Write { path, source })
}

fn panels(picture: &mut RgbImage, log: &[Epoch]) -> Result<(), String> {
    let area = Canvas(picture).into_drawing_area();
    let rows = area.split_evenly((3, 1));
    panel(
        &rows[0],
        "loss",
        log,
        &[("training", BLUE, |e| e.loss), ("validation", RED, |e| e.validation_loss)],
    )
    .and_then(|()| {
        panel(&rows[1], "validation overlap", log, &[("DSC", BLUE, |e| e.dsc), ("IoU", RED, |e| e.iou)])
    })
    .and_then(|()| {
        panel(&rows[2], "learning rate, power of ten", log, &[("rate", BLUE, |e| e.learning_rate.log10())])
    })
    .map_err(|e| e.to_string())
}

type Area<'a> = DrawingArea<Canvas<'a>, plotters::coord::Shift>;
type DrawError = DrawingAreaErrorKind<std::convert::Infallible>;

fn panel(area: &Area, title: &str, log: &[Epoch], lines: &[Line]) -> Result<(), DrawError> {
    let values = || lines.iter().flat_map(|(_, _, of)| log.iter().map(of));
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let room = ((high - low) * 0.05).max(1e-3);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(24)
        .y_label_area_size(72)
        .build_cartesian_2d(1.0..log.len().max(2) as f64, low - room..high + room)?;
    chart
        .configure_mesh()
        .label_style(("sans-serif", 8))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|value| format!("{value:.3}"))
        .light_line_style(WHITE)
        .draw()?;
    for (name, colour, of) in lines {
        let points = log.iter().map(|e| (e.epoch as f64, of(e)));
        let series = LineSeries::new(points, colour.stroke_width(2)).point_size(2);
        let key = *colour;
        chart
            .draw_series(series)?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], key.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 8))
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_have_ink_in_every_panel() {
        let dir = tempfile::tempdir().unwrap();
        let line = |epoch: usize| {
            let part = 1.0 / epoch as f64;
            let (loss, validation_loss, dsc, iou) = (part, part * 1.1, 1.0 - part, 0.9 - part);
            Epoch { epoch, loss, validation_loss, dsc, iou, learning_rate: 1e-3 * part, seconds: 1.0 }
        };
        for count in [0, 1, 12] {
            let log: Vec<Epoch> = (1..=count).map(line).collect();
            draw(dir.path(), &log).unwrap();
            let picture = image::open(dir.path().join(CURVES_FILE)).unwrap().to_rgb8();
            for panel in 0..3 {
                let rows = panel * SIZE.1 / 3..(panel + 1) * SIZE.1 / 3;
                let blue = rows.flat_map(|y| (0..SIZE.0).map(move |x| (x, y)));
                let blue = blue.filter(|(x, y)| picture.get_pixel(*x, *y).0 == [0, 0, 255]).count();
                assert_eq!(blue > 0, count > 0, "{count} epochs, panel {panel}: {blue} blue pixels");
            }
        }
    }
}
