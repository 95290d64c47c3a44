//! A box that lets everything through.

use super::verdict::{Middlebox, Verdict};
use crate::datagram::Datagram;
use crate::link::Dropped;
use ipnet::IpNet;
use jsp_proto::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A router: a box without state or opinion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// The addresses that lie behind it, such as `"10.1.0.0/16"`.
    pub through: Vec<IpNet>,
}

impl Middlebox for Router {
    fn outbound(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Forward
    }

    fn inbound(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Forward
    }

    /// What the inner segment itself does not know is nowhere: sent back, it would go round for ever.
    fn hairpin(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Drop(Dropped::NoRoute)
    }

    fn rebind(&mut self, _: Time) {}

    fn answers_for(&self, address: IpAddr) -> bool {
        self.through.iter().any(|prefix| prefix.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::ids::Ecn;

    #[test]
    fn a_router_forwards_all_and_changes_nothing() {
        let mut router: Router = serde_json::from_str(r#"{ "through": ["10.1.0.0/16"] }"#).unwrap();
        let sent = Datagram {
            from: "10.1.0.2:1".parse().unwrap(),
            to: "198.51.100.7:2".parse().unwrap(),
            ecn: Ecn::Ect0,
            payload: vec![1],
        };
        let mut datagram = sent.clone();
        assert_eq!(router.outbound(Time::ZERO, &mut datagram), Verdict::Forward);
        assert_eq!(router.inbound(Time::ZERO, &mut datagram), Verdict::Forward);
        assert_eq!(datagram, sent);
        assert!(router.answers_for("10.1.255.1".parse().unwrap()));
        assert!(!router.answers_for("10.2.0.1".parse().unwrap()));
    }

    #[test]
    fn a_router_sends_nothing_back_where_it_came_from() {
        let mut datagram = Datagram {
            from: "10.1.0.2:1".parse().unwrap(),
            to: "10.1.0.3:2".parse().unwrap(),
            ecn: Ecn::NotEct,
            payload: Vec::new(),
        };
        let verdict = Router::default().hairpin(Time::ZERO, &mut datagram);
        assert_eq!(verdict, Verdict::Drop(Dropped::NoRoute));
    }
}
