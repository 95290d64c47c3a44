//! A picture: a list of shapes, the same for each file format that it becomes.
//!
//! Coordinates are pixels of the SVG at its natural size, from the left and the top.

mod font;
mod png;
mod shape;
mod svg;

pub use font::width as text_width;
pub use shape::{Anchor, Dash, Paint, Picture, Point, Style};

impl Picture {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        svg::write(self)
    }

    /// The picture as PNG, with two pixels for each of the SVG's: sharp on dense screens.
    pub fn png(&self) -> Vec<u8> {
        png::write(self)
    }
}
