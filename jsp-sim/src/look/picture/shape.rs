//! What pictures consist of.

/// A colour, and how much of it covers what is below: 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    /// Red, green and blue.
    pub rgb: [u8; 3],
    /// 1 covers everything.
    pub opacity: f32,
}

impl Paint {
    /// The colour `0xRRGGBB`, which covers everything.
    pub const fn new(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Self { rgb: [r, g, b], opacity: 1.0 }
    }

    /// The same colour, of that opacity.
    #[must_use]
    pub const fn faint(self, opacity: f32) -> Self {
        Self { opacity, ..self }
    }
}

/// How a line is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// In long strokes.
    Dashed,
    /// In short ones.
    Dotted,
}

impl Dash {
    /// Lengths drawn and left out, in line widths.
    pub(super) const fn pattern(self) -> &'static [f32] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[5.0, 3.0],
            Self::Dotted => &[1.2, 2.2],
        }
    }
}

/// Which point of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A text's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Height of an em, in pixels.
    pub size: f32,
    /// Heavier than other text.
    pub bold: bool,
    /// What its place means.
    pub anchor: Anchor,
    /// Its colour.
    pub paint: Paint,
}

/// A place: x, y.
pub type Point = (f32, f32);

#[derive(Clone, Debug, PartialEq)]
pub(in crate::look) enum Shape {
    /// A line through points.
    Line { points: Vec<Point>, width: f32, dash: Dash, paint: Paint },
    /// What points enclose.
    Area { points: Vec<Point>, paint: Paint },
    /// A text on one line; its place is on the baseline.
    Text { at: Point, text: String, style: Style },
}

/// A picture of lines, areas and texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(in crate::look) width: u16,
    pub(in crate::look) height: u16,
    pub(in crate::look) title: String,
    pub(in crate::look) shapes: Vec<Shape>,
}

impl Picture {
    /// An empty, white picture. The title is for those who cannot see it.
    pub fn new(width: u16, height: u16, title: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), shapes: Vec::new() }
    }

    /// A line through points, `width` pixels wide.
    pub fn line(&mut self, points: Vec<Point>, width: f32, dash: Dash, paint: Paint) {
        // Points that lie on each other show as one.
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, dash, paint });
        }
    }

    /// What points enclose.
    pub fn area(&mut self, points: Vec<Point>, paint: Paint) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points, paint });
        }
    }

    /// A text on one line.
    pub fn text(&mut self, at: Point, text: impl Into<String>, style: Style) {
        self.shapes.push(Shape::Text { at, text: text.into(), style });
    }
}
