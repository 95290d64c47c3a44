//! Random links, and how long what crosses them may take.

use super::draw::Draw;
use super::feature::{Feature, Features};
use crate::link::{
    Blackout, Bursts, Codel, Corrupt, Delay, Distribution, Duplicate, EcnFault, Every, Limit, Link,
    Loss, Mtu, Reorder, Stage, StageKind, Trace, Which, Window,
};
use crate::units::{Size, Span};
use crate::{ms, secs};
use std::num::NonZeroU64;

/// The least that an IPv4 packet must be able to hold: 1200 bytes and the headers of IP and UDP.
const LEAST_MTU: u64 = 1228;

/// A link of one direction.
pub(super) fn link(draw: &mut Draw, features: &Features) -> Link {
    let mut stages: Vec<StageKind> = Vec::new();
    let has = |feature| features.has(feature);
    if has(Feature::Blackout) && draw.one_in(2) {
        let from = draw.between(100, 3000);
        let to = from + draw.scale(20, 2000);
        let [from, to] = [from, to].map(Span::from_millis);
        stages.push(StageKind::Blackout(Blackout::Times(vec![Window { from, to }])));
    }
    if has(Feature::Mtu) {
        let size = Size::new(*draw.pick(&[LEAST_MTU, 1280, 1399, 1492, 1500, 9000]));
        stages.push(StageKind::Mtu(Mtu { size, tell: draw.one_in(2) }));
    }
    if has(Feature::Loss) {
        stages.push(StageKind::Loss(Loss::Random(draw.share(1, 150))));
    }
    if has(Feature::Bursts) {
        let share = draw.share(1, 80);
        let length = draw.between(2, 20) as u32;
        stages.push(StageKind::Loss(Loss::Bursts(Bursts::new(share, length))));
    }
    if has(Feature::Every) {
        let nth = NonZeroU64::new(draw.scale(5, 500)).unwrap_or(NonZeroU64::MIN);
        stages.push(StageKind::Loss(Loss::Every(Every { nth, offset: draw.between(0, 20) })));
    }
    if has(Feature::Ecn) {
        let fault = match draw.between(0, 2) {
            0 => EcnFault::Mark(draw.share(1, 1000)),
            1 => EcnFault::Bleach,
            _ => EcnFault::Drop,
        };
        stages.push(StageKind::Ecn(fault));
    }
    if has(Feature::Duplicate) {
        let after = if draw.one_in(2) { Span::default() } else { draw.span(ms(1), ms(50)) };
        stages.push(StageKind::Duplicate(Duplicate { share: draw.share(1, 100), after }));
    }
    if has(Feature::Corrupt) {
        stages.push(StageKind::Corrupt(Corrupt { share: draw.share(1, 50) }));
    }
    if has(Feature::Reorder) {
        let which = Which::Share(draw.share(1, 200));
        stages.push(StageKind::Reorder(Reorder { which, by: draw.span(ms(1), ms(60)) }));
    }
    let mut delay = Delay { base: draw.span(ms(1) / 10, ms(120)), ..Delay::default() };
    if has(Feature::Jitter) {
        delay.jitter = draw.span(ms(1) / 10, ms(30));
        let kinds = [
            Distribution::Uniform,
            Distribution::Normal,
            Distribution::Exponential,
            Distribution::Pareto,
        ];
        delay.distribution = *draw.pick(&kinds);
        delay.reorder = draw.one_in(3);
    }
    stages.push(StageKind::Delay(delay));
    if has(Feature::Shuffle) {
        for i in (1..stages.len()).rev() {
            stages.swap(i, draw.between(0, i as u64) as usize);
        }
    }
    let link = stages.into_iter().fold(Link::new(), |link, kind| link.stage(Stage::from(kind)));
    bottleneck(draw, features, link).pinned()
}

fn bottleneck(draw: &mut Draw, features: &Features, link: Link) -> Link {
    let trace = features.has(Feature::Trace).then(|| {
        let names: Vec<_> = Trace::built_in().collect();
        Trace::load(draw.pick::<&str>(&names)).ok()
    });
    let link = match trace.flatten() {
        Some(trace) => link.trace(trace),
        None if features.has(Feature::Rate) => link.rate(draw.scale(500_000, 200_000_000)),
        None => return link,
    };
    let link = match draw.between(0, 2) {
        0 => link.queue_limit(Limit::Packets(draw.scale(10, 500))),
        1 => link.queue_limit(Limit::Bytes(draw.size(15_000, 1_000_000))),
        _ => link.queue_limit(Limit::Time(draw.span(ms(20), secs(1)))),
    };
    if features.has(Feature::Codel) {
        return link.codel(Codel { mark: draw.one_in(2), ..Codel::default() });
    }
    if draw.one_in(3) { link.mark_at(draw.scale(3_000, 100_000) as usize) } else { link }
}
