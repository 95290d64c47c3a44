//! Charts: panels over one axis of time, with axes, units and legends.
//!
//! Colour tells whose curve it is, for the whole chart; the look of a line tells what it shows, for one panel.
//! The colours are those of Okabe and Ito, which people tell apart who do not see all colours.

use super::picture::{Anchor, Dash, Paint, Picture, Point, Style, text_width};

/// Colours of curves, in the order of their use.
pub(super) const COLOURS: [Paint; 7] = [
    Paint::new(0x00_72b2),
    Paint::new(0xd5_5e00),
    Paint::new(0x00_9e73),
    Paint::new(0xcc_79a7),
    Paint::new(0xe6_9f00),
    Paint::new(0x56_b4e9),
    Paint::new(0x40_4040),
];

const INK: Paint = Paint::new(0x22_2222);
const GREY: Paint = Paint::new(0x66_6666);
const GRID: Paint = Paint::new(0xe4_e4e4);

const WIDTH: f32 = 960.0;
const LEFT: f32 = 58.0;
const RIGHT: f32 = 18.0;
/// Between two panels: the heading of the lower one stands there.
const GAP: f32 = 38.0;

/// What a panel shows, in which base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Bits per second.
    Rate,
    /// Seconds.
    Time,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
}

impl Quantity {
    /// The unit for values up to `most`, and how many base units it is.
    fn unit(self, most: f64) -> (f64, &'static str) {
        let units: &[(f64, &str)] = match self {
            Self::Rate => &[(1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1.0, "bit/s")],
            Self::Time => &[(1.0, "s"), (1e-3, "ms"), (1e-6, "us")],
            Self::Bytes => &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")],
            Self::Count => &[(1.0, "")],
        };
        let fits = units.iter().find(|(unit, _)| most >= 2.0 * unit).or(units.last());
        fits.copied().unwrap_or((1.0, ""))
    }
}

/// How a curve looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A line from point to point.
    Line(Dash),
    /// What lies below that line.
    Area,
    /// A bar for each point that is not 0.
    Bars,
}

/// Values over time.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) look: Look,
    pub(super) paint: Paint,
    /// Seconds, and a value in the panel's base unit.
    pub(super) points: Vec<(f64, f64)>,
}

/// A diagram of one quantity.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) heading: &'static str,
    pub(super) quantity: Quantity,
    /// What the looks mean.
    pub(super) keys: Vec<(String, Look)>,
    pub(super) curves: Vec<Curve>,
    pub(super) height: f32,
}

/// Panels over one axis of time.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// Who has which colour.
    pub(super) legend: Vec<(String, Paint)>,
    pub(super) panels: Vec<Panel>,
    /// The end of the axis of time, in seconds.
    pub(super) end: f64,
}

/// A linear axis from 0.
struct Axis {
    /// What one base unit is divided by.
    unit: f64,
    name: &'static str,
    /// Between two ticks, in base units.
    step: f64,
    /// The end, in base units.
    end: f64,
}

impl Axis {
    /// An axis for values up to `most`, with about `ticks` ticks, that ends at one (or at `most`, if `exact`).
    fn new(quantity: Quantity, most: f64, ticks: f64, exact: bool) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let (unit, name) = quantity.unit(most);
        let rough = most / unit / ticks;
        let power = 10f64.powf(rough.log10().floor());
        let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= rough * 0.999);
        let mut step = digit.unwrap_or(10.0) * power;
        if quantity == Quantity::Count {
            step = step.max(1.0);
        }
        let step = step * unit;
        let end = if exact { most } else { (most / step * 0.999).ceil() * step };
        Self { unit, name, step, end }
    }

    /// The ticks: where, and what stands there.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        let n = (self.end / self.step * 1.001) as u32;
        let decimals = (-(self.step / self.unit).log10().floor()).max(0.0) as usize;
        (0..=n).map(move |i| {
            let value = f64::from(i) * self.step;
            (value, format!("{:.decimals$}", value / self.unit))
        })
    }
}

const fn style(size: f32, anchor: Anchor, paint: Paint) -> Style {
    Style { size, bold: false, anchor, paint }
}

const fn bold(size: f32) -> Style {
    Style { size, bold: true, anchor: Anchor::Start, paint: INK }
}

impl Chart {
    pub(super) fn draw(&self) -> Picture {
        let rows = self.legend_rows();
        let top = 46.0 + 18.0 * rows.len() as f32 + 30.0;
        let panels: f32 = self.panels.iter().map(|panel| panel.height + GAP).sum();
        let height = top + panels + 16.0;
        let mut picture = Picture::new(WIDTH as u16, height as u16, self.title.as_str());
        picture.text((LEFT, 32.0), shortened(&self.title, 16.0, WIDTH - LEFT - RIGHT), bold(16.0));
        for (i, row) in rows.iter().enumerate() {
            let mut x = LEFT;
            for (name, paint) in row {
                let y = 54.0 + 18.0 * i as f32;
                picture.line(vec![(x, y - 4.0), (x + 18.0, y - 4.0)], 3.5, Dash::Solid, *paint);
                picture.text((x + 24.0, y), name, style(12.0, Anchor::Start, INK));
                x += entry_width(name);
            }
        }
        let time = Axis::new(Quantity::Time, self.end, 10.0, true);
        let mut y = top;
        for (i, panel) in self.panels.iter().enumerate() {
            let last = i + 1 == self.panels.len();
            panel.draw(&mut picture, y, &time, last);
            y += panel.height + GAP;
        }
        picture
    }

    /// The legend in lines that fit.
    fn legend_rows(&self) -> Vec<Vec<(String, Paint)>> {
        let mut rows: Vec<Vec<(String, Paint)>> = Vec::new();
        let room = WIDTH - LEFT - RIGHT;
        let mut used = room;
        for (name, paint) in &self.legend {
            let name = shortened(name, 12.0, room - 40.0);
            let width = entry_width(&name);
            if used + width > room + 20.0 {
                rows.push(Vec::new());
                used = 0.0;
            }
            used += width;
            if let Some(row) = rows.last_mut() {
                row.push((name, *paint));
            }
        }
        rows
    }
}

/// What an entry of the legend takes, the space behind it included.
fn entry_width(name: &str) -> f32 {
    24.0 + text_width(name, 12.0, false) + 24.0
}

/// `text`, without its end if it would be wider than `room`.
fn shortened(text: &str, size: f32, room: f32) -> String {
    let mut short = text.to_owned();
    while text_width(&short, size, true) > room && short.pop().is_some() {}
    if short.len() < text.len() {
        short.pop();
        short.push('…');
    }
    short
}

impl Panel {
    fn draw(&self, picture: &mut Picture, top: f32, time: &Axis, last: bool) {
        let values = self.curves.iter().flat_map(|curve| &curve.points);
        let most = values.map(|(_, value)| *value).fold(0.0, f64::max);
        let axis = Axis::new(self.quantity, most, 4.0, false);
        let (bottom, right) = (top + self.height, WIDTH - RIGHT);
        let x = |t: f64| LEFT + (t / time.end) as f32 * (right - LEFT);
        let y = |value: f64| bottom - (value / axis.end) as f32 * self.height;

        for (value, text) in axis.ticks() {
            let y = y(value);
            picture.line(vec![(LEFT, y), (right, y)], 1.0, Dash::Solid, GRID);
            picture.text((LEFT - 7.0, y + 4.0), text, style(11.0, Anchor::End, GREY));
        }
        for (t, text) in time.ticks() {
            let x = x(t);
            picture.line(vec![(x, top), (x, bottom)], 1.0, Dash::Solid, GRID);
            if last {
                picture.text((x, bottom + 17.0), text, style(11.0, Anchor::Middle, GREY));
            }
        }
        if last {
            let at = (f32::midpoint(LEFT, right), bottom + 35.0);
            picture.text(at, format!("time, {}", time.name), style(12.0, Anchor::Middle, INK));
        }
        // What covers much comes first, so that it hides nothing.
        for look in [Look::Area, Look::Bars] {
            let curves = self.curves.iter().filter(|curve| curve.look == look);
            for (i, curve) in curves.enumerate() {
                match look {
                    Look::Area => area(picture, curve, bottom, &x, &y),
                    _ => bars(picture, curve, i as f32, bottom, &x, &y),
                }
            }
        }
        for curve in &self.curves {
            if let Look::Line(dash) = curve.look {
                let points = curve.points.iter().map(|&(t, value)| (x(t), y(value))).collect();
                let width = if dash == Dash::Solid { 1.8 } else { 1.5 };
                picture.line(points, width, dash, curve.paint);
            }
        }
        picture.line(vec![(LEFT, top), (LEFT, bottom), (right, bottom)], 1.2, Dash::Solid, GREY);
        self.head(picture, top, axis.name);
    }

    /// The heading with the unit, and what the looks mean.
    fn head(&self, picture: &mut Picture, top: f32, unit: &str) {
        let comma = if unit.is_empty() { "" } else { ", " };
        let heading = format!("{}{comma}{unit}", self.heading);
        picture.text((LEFT, top - 10.0), heading, bold(12.5));
        let mut right = WIDTH - RIGHT;
        for (name, look) in self.keys.iter().rev() {
            let begin = right - text_width(name, 11.0, false);
            picture.text((right, top - 10.0), name, style(11.0, Anchor::End, GREY));
            let (left, y) = (begin - 28.0, top - 14.0);
            match look {
                Look::Line(dash) => {
                    picture.line(vec![(left, y), (left + 22.0, y)], 1.8, *dash, GREY);
                }
                Look::Area => {
                    let (a, b) = (left + 22.0, y + 5.0);
                    let corners = vec![(left, y - 5.0), (a, y - 5.0), (a, b), (left, b)];
                    picture.area(corners, GREY.faint(FAINT));
                }
                Look::Bars => {
                    for (x, height) in [(4.0, 6.0), (10.0, 10.0), (16.0, 4.0)] {
                        let at = left + x;
                        let points = vec![(at, y + 5.0), (at, y + 5.0 - height)];
                        picture.line(points, 2.5, Dash::Solid, GREY);
                    }
                }
            }
            right = left - 20.0;
        }
    }
}

/// How much of an area's colour is seen.
const FAINT: f32 = 0.22;

fn area(
    picture: &mut Picture,
    curve: &Curve,
    bottom: f32,
    x: &impl Fn(f64) -> f32,
    y: &impl Fn(f64) -> f32,
) {
    let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else { return };
    let mut points: Vec<Point> = vec![(x(first.0), bottom)];
    points.extend(curve.points.iter().map(|&(t, value)| (x(t), y(value))));
    points.push((x(last.0), bottom));
    picture.area(points, curve.paint.faint(FAINT));
}

/// Bars, those of the `nth` curve a little beside those of the others.
fn bars(
    picture: &mut Picture,
    curve: &Curve,
    nth: f32,
    bottom: f32,
    x: &impl Fn(f64) -> f32,
    y: &impl Fn(f64) -> f32,
) {
    for &(t, value) in curve.points.iter().filter(|(_, value)| *value > 0.0) {
        let x = x(t) + nth * 3.0;
        picture.line(vec![(x, bottom), (x, y(value))], 2.5, Dash::Solid, curve.paint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(quantity: Quantity, most: f64) -> (Vec<String>, &'static str) {
        let axis = Axis::new(quantity, most, 4.0, false);
        (axis.ticks().map(|(_, text)| text).collect(), axis.name)
    }

    #[test]
    fn axes_have_round_ticks_in_fitting_units_and_end_above_the_largest_value() {
        let of = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(ticks(Quantity::Rate, 9.7e6), (of(&["0", "5", "10"]), "Mbit/s"));
        assert_eq!(ticks(Quantity::Time, 0.0612), (of(&["0", "20", "40", "60", "80"]), "ms"));
        assert_eq!(ticks(Quantity::Bytes, 3.1), (of(&["0", "1", "2", "3", "4"]), "B"));
        assert_eq!(ticks(Quantity::Count, 1.0), (of(&["0", "1"]), ""));
        assert_eq!(ticks(Quantity::Count, 0.0), (of(&["0", "1"]), ""));
        assert_eq!(ticks(Quantity::Time, 2.0).1, "s");
        assert_eq!(ticks(Quantity::Rate, 2.1e9), (of(&["0", "1", "2", "3"]), "Gbit/s"),);
    }

    #[test]
    fn long_names_are_shortened_to_their_room() {
        let long = shortened(&"wide ".repeat(50), 12.0, 200.0);
        assert!(long.ends_with('…') && text_width(&long, 12.0, true) <= 200.0, "{long}");
        assert_eq!(shortened("short", 12.0, 200.0), "short");
    }
}
