//! A picture as SVG. Texts stay texts, in whatever sans-serif font the viewer has.

use super::shape::{Anchor, Dash, Paint, Picture, Point, Shape, Style};
use std::fmt::Write as _;

pub(super) fn write(picture: &Picture) -> String {
    let mut out = String::new();
    let Picture { width, height, title, shapes } = picture;
    // Writing into a string does not fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" \
         font-family=\"'Noto Sans', 'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        escape(title),
    );
    for shape in shapes {
        let _ = match shape {
            Shape::Line { points, width, dash, paint } => {
                line(&mut out, points, *width, *dash, *paint)
            }
            Shape::Area { points, paint } => area(&mut out, points, *paint),
            Shape::Text { at, text, style } => self::text(&mut out, *at, text, *style),
        };
    }
    out.push_str("</svg>\n");
    out
}

type Written = std::fmt::Result;

fn line(out: &mut String, points: &[Point], width: f32, dash: Dash, paint: Paint) -> Written {
    write!(out, "<polyline points=\"")?;
    coordinates(out, points)?;
    write!(
        out,
        "\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"",
        colour(paint)
    )?;
    if dash != Dash::Solid {
        let lengths: Vec<_> = dash.pattern().iter().map(|n| short(n * width)).collect();
        write!(out, " stroke-dasharray=\"{}\"", lengths.join(" "))?;
    }
    opacity(out, "stroke", paint)?;
    writeln!(out, "/>")
}

fn area(out: &mut String, points: &[Point], paint: Paint) -> Written {
    write!(out, "<polygon points=\"")?;
    coordinates(out, points)?;
    write!(out, "\" fill=\"{}\"", colour(paint))?;
    opacity(out, "fill", paint)?;
    writeln!(out, "/>")
}

fn text(out: &mut String, (x, y): Point, text: &str, style: Style) -> Written {
    let (x, y, size) = (short(x), short(y), short(style.size));
    write!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{}\"", colour(style.paint))?;
    if style.bold {
        write!(out, " font-weight=\"bold\"")?;
    }
    match style.anchor {
        Anchor::Start => {}
        Anchor::Middle => write!(out, " text-anchor=\"middle\"")?,
        Anchor::End => write!(out, " text-anchor=\"end\"")?,
    }
    writeln!(out, ">{}</text>", escape(text))
}

fn coordinates(out: &mut String, points: &[Point]) -> Written {
    for (i, &(x, y)) in points.iter().enumerate() {
        let gap = if i > 0 { " " } else { "" };
        write!(out, "{gap}{},{}", short(x), short(y))?;
    }
    Ok(())
}

fn opacity(out: &mut String, of: &str, paint: Paint) -> Written {
    if paint.opacity < 1.0 { write!(out, " {of}-opacity=\"{}\"", paint.opacity) } else { Ok(()) }
}

fn colour(paint: Paint) -> String {
    let [r, g, b] = paint.rgb;
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A coordinate to a tenth of a pixel.
fn short(value: f32) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), Into::into)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
