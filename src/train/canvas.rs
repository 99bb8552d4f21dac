//! A picture that plotters draws on, with letters of its own: no font has to be installed.

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use std::convert::Infallible;

/// Side of a letter.
const LETTER: i32 = 8;

/// Draws into an RGB picture.
pub struct Canvas<'a>(pub &'a mut RgbImage);

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let Some(Rgb(pixel)) = self.0.get_pixel_mut_checked(x as u32, y as u32) else { return Ok(()) };
        let (r, g, b) = color.rgb;
        for (old, new) in pixel.iter_mut().zip([r, g, b]) {
            *old = (f64::from(*old) * (1.0 - color.alpha) + f64::from(new) * color.alpha).round() as u8;
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (width, height) = self.estimate_text_size(text, style)?;
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Right => -(width as i32),
            HPos::Center => -(width as i32) / 2,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -(height as i32) / 2,
            VPos::Bottom => -(height as i32),
        };
        let scale = scale(style);
        for (n, letter) in (0..).zip(text.chars()) {
            let rows = BASIC_FONTS.get(letter).unwrap_or_default();
            for (row, column) in (0..LETTER * scale).flat_map(|r| (0..LETTER * scale).map(move |c| (r, c))) {
                if rows[(row / scale) as usize] >> (column / scale) & 1 == 1 {
                    let at = style.transform().transform(left + n * LETTER * scale + column, top + row);
                    self.draw_pixel((x + at.0, y + at.1), style.color())?;
                }
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let side = LETTER * scale(style);
        Ok((text.chars().count() as u32 * side as u32, side as u32))
    }
}

/// The nearest whole multiple of the letters' own size.
fn scale<S: BackendTextStyle>(style: &S) -> i32 {
    (style.size() / f64::from(LETTER)).round().max(1.0) as i32
}
