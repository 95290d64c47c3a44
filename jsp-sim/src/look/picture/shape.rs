//! What pictures consist of.

/// A colour, and how much of it covers what is below: 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::look) struct Paint {
    pub(in crate::look) rgb: [u8; 3],
    pub(in crate::look) opacity: f32,
}

impl Paint {
    pub(in crate::look) const fn new(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Self { rgb: [r, g, b], opacity: 1.0 }
    }

    pub(in crate::look) const fn faint(self, opacity: f32) -> Self {
        Self { opacity, ..self }
    }
}

/// How a line is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::look) enum Dash {
    Solid,
    Dashed,
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
pub(in crate::look) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::look) struct Style {
    /// Height of an em, in pixels.
    pub(in crate::look) size: f32,
    pub(in crate::look) bold: bool,
    pub(in crate::look) anchor: Anchor,
    pub(in crate::look) paint: Paint,
}

/// A place: x, y.
pub(in crate::look) type Point = (f32, f32);

#[derive(Clone, Debug, PartialEq)]
pub(in crate::look) enum Shape {
    /// A line through points.
    Line { points: Vec<Point>, width: f32, dash: Dash, paint: Paint },
    /// What points enclose.
    Area { points: Vec<Point>, paint: Paint },
    /// A text on one line; its place is on the baseline.
    Text { at: Point, text: String, style: Style },
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(in crate::look) width: u16,
    pub(in crate::look) height: u16,
    pub(in crate::look) title: String,
    pub(in crate::look) shapes: Vec<Shape>,
}

impl Picture {
    /// An empty, white picture. The title is for those who cannot see it.
    pub(in crate::look) fn new(width: u16, height: u16, title: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), shapes: Vec::new() }
    }

    pub(in crate::look) fn line(
        &mut self,
        points: Vec<Point>,
        width: f32,
        dash: Dash,
        paint: Paint,
    ) {
        // Points that lie on each other show as one.
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, dash, paint });
        }
    }

    pub(in crate::look) fn area(&mut self, points: Vec<Point>, paint: Paint) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points, paint });
        }
    }

    pub(in crate::look) fn text(&mut self, at: Point, text: impl Into<String>, style: Style) {
        self.shapes.push(Shape::Text { at, text: text.into(), style });
    }
}
