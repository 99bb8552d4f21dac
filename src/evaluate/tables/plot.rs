//! The table as a point plot: ours with its interval, the paper's as a hollow mark.

use super::Table;
use super::page::Line;
use plotters::prelude::*;
use std::path::Path;

const WIDTH: i32 = 760;
/// Left of the axis: names.
const NAMES: i32 = 150;
const RIGHT: i32 = 30;
const TOP: i32 = 60;
const ROW: i32 = 34;

/// Draws an SVG. Fails where the file cannot be written.
pub fn draw(path: &Path, table: Table, lines: &[Line]) -> Result<(), String> {
    let height = TOP + ROW * lines.len() as i32 + 40;
    let size = (WIDTH as u32, height as u32);
    let area = SVGBackend::new(path, size).into_drawing_area();
    paint(&area, table, lines, height).and_then(|()| area.present()).map_err(|e| e.to_string())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failure = DrawingAreaErrorKind<std::io::Error>;

fn paint(area: &Area, table: Table, lines: &[Line], height: i32) -> Result<(), Failure> {
    let text = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
    area.fill(&WHITE)?;
    area.draw_text(table.title(), &text(16), (10, 10))?;
    let key = "filled: ours, synthetic spines, DSC with 95 % interval; hollow: the paper's, real CTs";
    area.draw_text(key, &text(12), (10, 34))?;
    for tenth in 0..=10 {
        let x = place(f64::from(tenth) / 10.0);
        area.draw(&PathElement::new(vec![(x, TOP), (x, height - 36)], RGBColor(220, 220, 220)))?;
        area.draw_text(&format!("{}", tenth * 10), &text(12), (x - 8, height - 28))?;
    }
    for (n, line) in lines.iter().enumerate() {
        let y = TOP + ROW * n as i32 + ROW / 2;
        area.draw_text(&line.name, &text(13), (10, y - 7))?;
        area.draw(&Circle::new((place(line.paper_dsc / 100.0), y), 5, BLACK))?;
        let Some(ours) = line.dsc else { continue };
        if let Some([low, high]) = ours.interval {
            area.draw(&PathElement::new(vec![(place(low), y), (place(high), y)], BLUE.stroke_width(2)))?;
        }
        area.draw(&Circle::new((place(ours.value), y), 5, BLUE.filled()))?;
    }
    Ok(())
}

/// Where a share of 0 to 1 lies across the picture.
fn place(share: f64) -> i32 {
    NAMES + (share * f64::from(WIDTH - NAMES - RIGHT)).round() as i32
}
