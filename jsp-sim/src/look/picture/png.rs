//! A picture as PNG.

use super::font;
use super::shape::{Anchor, Dash, Paint, Picture, Shape};
use zeno::{Command, Fill, Join, Mask, PathBuilder, Stroke};

/// Pixels for each of the picture's.
const SCALE: f32 = 2.0;

/// A canvas of pixels, red, green and blue.
struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

pub(super) fn write(picture: &Picture) -> Vec<u8> {
    let [width, height] = [picture.width, picture.height].map(|n| (f32::from(n) * SCALE) as u32);
    let mut canvas = Canvas { width, height, pixels: vec![255; (width * height * 3) as usize] };
    picture.shapes.iter().for_each(|shape| canvas.draw(shape));
    canvas.encode()
}

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line { points, width, dash, paint } => {
                let path = path(points, false);
                let width = width * SCALE;
                let dashes: Vec<_> = dash.pattern().iter().map(|n| n * width).collect();
                let mut stroke = Stroke::new(width);
                stroke.join(Join::Round);
                if *dash != Dash::Solid {
                    stroke.dash(&dashes, 0.0);
                }
                self.cover(&path, &stroke.into(), *paint);
            }
            Shape::Area { points, paint } => {
                self.cover(&path(points, true), &Fill::NonZero.into(), *paint);
            }
            Shape::Text { at, text, style } => {
                let size = style.size * SCALE;
                let before = match style.anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => 0.5,
                    Anchor::End => 1.0,
                };
                let x = at.0 * SCALE - before * font::width(text, size, style.bold);
                let path = font::outline(text, size, style.bold, x, at.1 * SCALE);
                self.cover(&path, &Fill::NonZero.into(), style.paint);
            }
        }
    }

    /// Paints what a path covers.
    fn cover(&mut self, path: &[Command], style: &zeno::Style<'_>, paint: Paint) {
        if path.is_empty() {
            return;
        }
        let (mask, place) = Mask::new(path).style(*style).render();
        let row = place.width as usize;
        if row == 0 {
            return;
        }
        for (y, line) in (place.top..).zip(mask.chunks(row)) {
            for (x, &coverage) in (place.left..).zip(line) {
                self.blend(x, y, paint, f32::from(coverage) / 255.0);
            }
        }
    }

    fn blend(&mut self, x: i32, y: i32, paint: Paint, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if coverage == 0.0 || x >= self.width || y >= self.height {
            return;
        }
        let alpha = coverage * paint.opacity;
        let at = ((y * self.width + x) * 3) as usize;
        for (pixel, colour) in self.pixels[at..at + 3].iter_mut().zip(paint.rgb) {
            let mixed = f32::from(*pixel) * (1.0 - alpha) + f32::from(colour) * alpha;
            *pixel = mixed.round() as u8;
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // Writing into memory fails only where sizes contradict each other, and these do not.
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.pixels)?;
            writer.finish()
        });
        debug_assert!(written.is_ok(), "{written:?}");
        file
    }
}

fn path(points: &[(f32, f32)], closed: bool) -> Vec<Command> {
    let mut path = Vec::with_capacity(points.len() + 1);
    for (i, &(x, y)) in points.iter().enumerate() {
        let to = [x * SCALE, y * SCALE];
        if i == 0 {
            path.move_to(to);
        } else {
            path.line_to(to);
        }
    }
    if closed {
        path.close();
    }
    path
}
