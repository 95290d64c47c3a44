//! Makes the capacity traces that come with the simulator, from a seed and in whole numbers.
//!
//! They are not recordings; they have what makes such links hard: rates that wander by an order of
//! magnitude, gaps, and bursts. The tests of this file hold the files to what it makes;
//! `JSP_WRITE_TRACES=1` has them written.
#![cfg(test)]

use super::OPPORTUNITY;
use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use std::fmt::Write;

/// A cell of a mobile network: the rate wanders as the signal does, the scheduler serves this user in
/// some milliseconds and others in the rest, and now and then the signal fades.
struct Cell {
    millis: u64,
    /// Kilobits per second: the least, the mean to which it returns, the most.
    rate: [u64; 3],
    /// In how many milliseconds it is this user's turn.
    turn: Share,
    /// How often, each 20 ms, a fade begins.
    fade: Share,
}

impl Cell {
    fn trace(&self, rng: &mut Rng) -> Vec<u64> {
        let [least, mean, most] = self.rate;
        let (mut rate, mut credit, mut faded) = (mean, 0, 0_u64);
        let mut trace = Vec::new();
        for ms in 1..=self.millis {
            if ms % 20 == 0 {
                // A step of up to 15 % up or down, and a pull towards the mean.
                rate = rate * (850 + rng.below(301)) / 1000;
                rate = ((rate * 31 + mean) / 32).clamp(least, most);
                if self.fade.hits(rng) {
                    faded = 100 + rng.below(500);
                }
            }
            faded = faded.saturating_sub(1);
            let rate = if faded == 0 { rate } else { rate / 20 };
            credit += rate / 8;
            if self.turn.hits(rng) {
                trace.extend(std::iter::repeat_n(ms, (credit / OPPORTUNITY) as usize));
                credit %= OPPORTUNITY;
            }
        }
        trace
    }
}

/// A wireless local network: the medium is won every few milliseconds, then some frames leave in one
/// go, as many as the rate of the moment allows; sometimes others hold it for long.
fn wireless(millis: u64, rng: &mut Rng) -> Vec<u64> {
    let (mut ms, mut most, mut trace) = (0, 10_u64, Vec::new());
    while ms < millis {
        let long = Share::ppm(15_000).hits(rng);
        ms += if long { 10 + rng.below(40) } else { 1 + rng.below(5) };
        if Share::ppm(50_000).hits(rng) {
            most = (most + rng.below(9)).saturating_sub(4).clamp(4, 16);
        }
        let frames = 2 + rng.below(most);
        trace.extend(std::iter::repeat_n(ms.min(millis), frames as usize));
    }
    trace
}

/// Satellites in a low orbit: every 15 s another one, with another rate and a gap in between; capacity
/// is allotted in frames of 40 ms.
fn satellite(millis: u64, rng: &mut Rng) -> Vec<u64> {
    let (mut rate, mut gap, mut credit, mut trace) = (0, 0, 0, Vec::new());
    for ms in (0..millis).step_by(40) {
        if ms % 15_000 < 40 {
            rate = 2_500 + rng.below(2_500);
            gap = ms + 60 + rng.below(120);
        }
        if ms < gap {
            continue;
        }
        let frame = rate * (700 + rng.below(601)) / 1000;
        for part in 1..=40 {
            credit += frame / 8;
            trace.extend(std::iter::repeat_n(ms + part, (credit / OPPORTUNITY) as usize));
            credit %= OPPORTUNITY;
        }
    }
    trace
}

fn generate(name: &str) -> String {
    let rng = &mut Rng::new(&Seed::from_u64(1), name);
    let percent = |n: u32| Share::ppm(n * 10_000);
    let (millis, mut trace) = match name {
        "lte-down" => {
            let cell = Cell {
                millis: 12_000,
                rate: [1_500, 10_000, 40_000],
                turn: percent(60),
                fade: Share::ppm(8_000),
            };
            (cell.millis, cell.trace(rng))
        }
        "lte-up" => {
            let cell = Cell {
                millis: 25_000,
                rate: [300, 3_500, 12_000],
                turn: percent(25),
                fade: Share::ppm(8_000),
            };
            (cell.millis, cell.trace(rng))
        }
        "wifi" => (5_000, wireless(5_000, rng)),
        "satellite" => (30_000, satellite(30_000, rng)),
        _ => panic!("no model makes {name}"),
    };
    // The last opportunity is where the trace ends.
    trace.push(millis);
    trace.iter().fold(String::new(), |mut text, ms| {
        let _ = writeln!(text, "{ms}");
        text
    })
}

#[test]
fn the_traces_that_come_with_the_simulator_are_the_ones_that_are_made_here() {
    for (name, text) in super::BUILT_IN {
        let made = generate(name);
        assert!(made.len() < 64 << 10, "{name}: {} bytes", made.len());
        if std::env::var_os("JSP_WRITE_TRACES").is_some() {
            let path = format!("{}/traces/{name}.trace", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, made).unwrap();
        } else {
            assert!(made == text, "{name} differs: JSP_WRITE_TRACES=1 writes it anew");
        }
    }
}
