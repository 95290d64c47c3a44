//! The letters of pictures: Noto Sans, which comes along.

use std::sync::LazyLock;
use ttf_parser::{Face, GlyphId, OutlineBuilder};
use zeno::{Command, PathBuilder};

static REGULAR: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(ttf_noto_sans::REGULAR, 0).ok());
static BOLD: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(ttf_noto_sans::BOLD, 0).ok());

fn face(bold: bool) -> Option<&'static Face<'static>> {
    if bold { BOLD.as_ref() } else { REGULAR.as_ref() }
}

/// A letter's outline; what the font does not have is shown as a question mark.
fn glyph(face: &Face<'_>, letter: char) -> GlyphId {
    face.glyph_index(letter).or_else(|| face.glyph_index('?')).unwrap_or(GlyphId(0))
}

/// How wide a text is, in pixels, if an em is `size` high.
pub fn width(text: &str, size: f32, bold: bool) -> f32 {
    let Some(face) = face(bold) else { return 0.0 };
    let advances = text
        .chars()
        .map(|letter| f32::from(face.glyph_hor_advance(glyph(face, letter)).unwrap_or_default()));
    advances.sum::<f32>() * size / f32::from(face.units_per_em())
}

/// The outlines of a text that begins at `x` on the baseline `y`.
pub(super) fn outline(text: &str, size: f32, bold: bool, x: f32, y: f32) -> Vec<Command> {
    let Some(face) = face(bold) else { return Vec::new() };
    let scale = size / f32::from(face.units_per_em());
    let mut pen = Pen { path: Vec::new(), x, y, scale };
    for letter in text.chars() {
        let glyph = glyph(face, letter);
        face.outline_glyph(glyph, &mut pen);
        pen.x += f32::from(face.glyph_hor_advance(glyph).unwrap_or_default()) * scale;
    }
    pen.path
}

/// Takes a glyph's outline, whose y goes up, to its place in a picture.
struct Pen {
    path: Vec<Command>,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        [self.x + x * self.scale, self.y - y * self.scale]
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.path.move_to(to);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.path.line_to(to);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (control, to) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(control, to);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (one, two, to) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.curve_to(one, two, to);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
