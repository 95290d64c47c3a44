//! Links of all kinds, for properties.

use super::{
    Blackout, Bursts, Capacity, Codel, Corrupt, Delay, Distribution, Duplicate, EcnFault, Every,
    Limit, Link, Loss, Mtu, Periodic, Rate, Reorder, Stage, StageKind, Trace, Which, Window,
};
use crate::units::{BitRate, Span};
use quickcheck::{Arbitrary, Gen};
use std::num::NonZeroU64;

/// One of several ways to make something.
fn one_of<T: Clone>(g: &mut Gen, of: &[T]) -> T {
    g.choose(of).unwrap().clone()
}

macro_rules! arbitrary {
    ($type:ident { $($field:ident),+ }) => {
        impl Arbitrary for $type {
            fn arbitrary(g: &mut Gen) -> Self {
                Self { $($field: Arbitrary::arbitrary(g)),+ }
            }
        }
    };
}

arbitrary!(Bursts { degrade, recover, good_loss, bad_loss });
arbitrary!(Codel { target, interval, mark });
arbitrary!(Corrupt { share });
arbitrary!(Delay { base, jitter, distribution, reorder });
arbitrary!(Duplicate { share, after });
arbitrary!(Mtu { size, tell });
arbitrary!(Periodic { every, lasts, from });
arbitrary!(Rate { capacity, queue, mark_at, codel });
arbitrary!(Reorder { which, by });
arbitrary!(Window { from, to });

impl Arbitrary for Every {
    fn arbitrary(g: &mut Gen) -> Self {
        // The largest number in TOML is that of an i64.
        let (nth, offset) = (NonZeroU64::arbitrary(g), u64::arbitrary(g) >> 1);
        Self { nth: NonZeroU64::new(nth.get() >> 1).unwrap_or(NonZeroU64::MIN), offset }
    }
}

impl Arbitrary for Which {
    fn arbitrary(g: &mut Gen) -> Self {
        let of = [Self::Share(Arbitrary::arbitrary(g)), Self::Every(Arbitrary::arbitrary(g))];
        one_of(g, &of)
    }
}

impl Arbitrary for Distribution {
    fn arbitrary(g: &mut Gen) -> Self {
        one_of(g, &[Self::Uniform, Self::Normal, Self::Exponential, Self::Pareto])
    }
}

impl Arbitrary for Limit {
    fn arbitrary(g: &mut Gen) -> Self {
        let of = [
            Self::Bytes(Arbitrary::arbitrary(g)),
            Self::Packets(Arbitrary::arbitrary(g)),
            Self::Time(Arbitrary::arbitrary(g)),
        ];
        one_of(g, &of)
    }
}

impl Arbitrary for Capacity {
    fn arbitrary(g: &mut Gen) -> Self {
        let rate = BitRate::arbitrary(g).max(BitRate::new(1));
        let names: Vec<_> = Trace::built_in().collect();
        let trace = Trace::load(one_of(g, &names)).unwrap();
        one_of(g, &[Self::Unlimited, Self::Constant(rate), Self::Trace(trace)])
    }
}

impl Arbitrary for Loss {
    fn arbitrary(g: &mut Gen) -> Self {
        let of = [
            Self::Random(Arbitrary::arbitrary(g)),
            Self::Bursts(Arbitrary::arbitrary(g)),
            Self::Every(Arbitrary::arbitrary(g)),
            Self::Indices(Vec::<u32>::arbitrary(g).into_iter().map(u64::from).collect()),
        ];
        one_of(g, &of)
    }
}

impl Arbitrary for EcnFault {
    fn arbitrary(g: &mut Gen) -> Self {
        let mark = Self::Mark(Arbitrary::arbitrary(g));
        one_of(g, &[mark, Self::Bleach, Self::Drop])
    }
}

impl Arbitrary for Blackout {
    fn arbitrary(g: &mut Gen) -> Self {
        let of = [Self::Times(Arbitrary::arbitrary(g)), Self::Periodic(Arbitrary::arbitrary(g))];
        one_of(g, &of)
    }
}

impl Arbitrary for StageKind {
    fn arbitrary(g: &mut Gen) -> Self {
        let of = [
            Self::Delay(Arbitrary::arbitrary(g)),
            Self::Rate(Arbitrary::arbitrary(g)),
            Self::Loss(Arbitrary::arbitrary(g)),
            Self::Reorder(Arbitrary::arbitrary(g)),
            Self::Duplicate(Arbitrary::arbitrary(g)),
            Self::Corrupt(Arbitrary::arbitrary(g)),
            Self::Mtu(Arbitrary::arbitrary(g)),
            Self::Ecn(Arbitrary::arbitrary(g)),
            Self::Blackout(Arbitrary::arbitrary(g)),
        ];
        one_of(g, &of)
    }
}

impl Arbitrary for Link {
    fn arbitrary(g: &mut Gen) -> Self {
        let kinds: Vec<StageKind> =
            (0..usize::arbitrary(g) % 8).map(|_| Arbitrary::arbitrary(g)).collect();
        let mut link = Self::new();
        for (i, kind) in kinds.into_iter().enumerate() {
            let name = bool::arbitrary(g).then(|| format!("stage {i}"));
            link = link.stage(Stage { name, kind });
        }
        link
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let link = self.clone();
        Box::new((0..self.stages().len()).map(move |i| link.clone().without(i)))
    }
}

/// A link whose times are those of networks, so that packets come through it while one watches.
#[derive(Clone, Debug)]
pub(super) struct Plausible(pub(super) Link);

impl Arbitrary for Plausible {
    fn arbitrary(g: &mut Gen) -> Self {
        fn short(span: &mut Span) {
            *span = Span::from_nanos(span.as_nanos() % 50_000_000);
        }
        let mut link = Link::new();
        for mut stage in Vec::from(Link::arbitrary(g)) {
            match &mut stage.kind {
                StageKind::Delay(delay) => {
                    short(&mut delay.base);
                    short(&mut delay.jitter);
                }
                StageKind::Rate(Rate { capacity: Capacity::Constant(rate), .. }) => {
                    *rate = BitRate::new(1_000_000 + rate.bits_per_second() % 1_000_000_000);
                }
                StageKind::Reorder(reorder) => short(&mut reorder.by),
                StageKind::Duplicate(duplicate) => short(&mut duplicate.after),
                _ => {}
            }
            link = link.stage(stage);
        }
        Self(link)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}
