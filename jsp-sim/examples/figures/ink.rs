//! How the pictures look.

use jsp_sim::look::picture::{Anchor, Paint, Style};

pub(crate) const INK: Paint = Paint::new(0x22_2222);
pub(crate) const GREY: Paint = Paint::new(0x66_6666);

pub(crate) fn style(size: f32, bold: bool, anchor: Anchor, paint: Paint) -> Style {
    Style { size, bold, anchor, paint }
}
