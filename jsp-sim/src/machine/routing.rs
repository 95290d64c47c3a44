//! Datagrams in: to their connections, runs of them at once.

use super::{BUFFER, Machine};
use crate::datagram::Datagram;
use crate::world::Context;
use jsp_proto::endpoint::Routed;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Received;
use std::collections::BTreeSet;

impl Machine {
    /// Leads datagrams to their connections: those that came in a row from one sender at once, as UDP
    /// GRO does, the others one by one.
    pub(super) fn route(&mut self, context: &mut Context<'_>, datagrams: &mut [Datagram]) {
        let mut touched = BTreeSet::new();
        for datagram in datagrams.iter() {
            *self.heard.entry(datagram.from).or_default() += datagram.payload.len() as u64;
        }
        let mut rest = datagrams;
        while let Some(first) = rest.first() {
            let meta = Received { remote: first.from, local: Some(first.to.ip()), ecn: first.ecn };
            let n = run_length(rest);
            let (run, later) = rest.split_at_mut(n);
            rest = later;
            self.route_run(context, &meta, run, &mut touched);
        }
        for handle in touched {
            self.settle(context, handle);
        }
    }

    fn route_run(
        &mut self,
        context: &mut Context<'_>,
        meta: &Received,
        run: &mut [Datagram],
        touched: &mut BTreeSet<ConnectionHandle>,
    ) {
        let segment = run.first().map_or(0, |datagram| datagram.payload.len());
        let mut bytes = std::mem::take(&mut self.run);
        bytes.clear();
        for datagram in run.iter() {
            bytes.extend_from_slice(&datagram.payload);
        }
        let mut at = 0;
        while at < bytes.len() {
            let batch = &mut bytes[at..];
            if let Some((handle, n)) = self.endpoint.route_run(batch, segment) {
                if let Some(session) = self.sessions.get_mut(&handle) {
                    session.connection.handle_datagrams(
                        context.now,
                        meta,
                        &mut batch[..n],
                        segment,
                    );
                    touched.insert(handle);
                }
                at += n;
            } else {
                let n = segment.min(batch.len());
                self.route_one(context, meta, &mut batch[..n], touched);
                at += n;
            }
        }
        self.run = bytes;
    }

    fn route_one(
        &mut self,
        context: &mut Context<'_>,
        meta: &Received,
        datagram: &mut [u8],
        touched: &mut BTreeSet<ConnectionHandle>,
    ) {
        match self.endpoint.handle(context.now, meta, datagram, &mut self.buffer) {
            Routed::Connection(handle) => {
                if let Some(session) = self.sessions.get_mut(&handle) {
                    let len = datagram.len();
                    session.connection.handle_datagrams(context.now, meta, datagram, len);
                    touched.insert(handle);
                }
            }
            Routed::Stray => {
                let handles: Vec<_> = self.endpoint.connections_with(meta.remote).collect();
                for handle in handles {
                    if let Some(session) = self.sessions.get_mut(&handle) {
                        let mut copy = datagram.to_vec();
                        let len = copy.len();
                        session.connection.handle_datagrams(context.now, meta, &mut copy, len);
                        touched.insert(handle);
                    }
                }
            }
            Routed::Incoming(incoming) => self.admit(context, &incoming),
            Routed::Reply(transmit) => context.transmit(self.address, &transmit, &self.buffer),
            Routed::Dropped => self.dropped += 1,
        }
    }
}

/// How many datagrams at the front came from one sender to one address with one ECN field, all of one
/// size (the last may be shorter), and fit a buffer together.
fn run_length(datagrams: &[Datagram]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let size = first.payload.len();
    let same = |d: &&Datagram| (d.from, d.to, d.ecn) == (first.from, first.to, first.ecn);
    let most = (BUFFER / size.max(1)).clamp(1, 64);
    let mut run = datagrams.iter().take(most).take_while(same);
    let full = run.clone().take_while(|d| d.payload.len() == size).count();
    let tail = run.nth(full).is_some_and(|d| (1..size).contains(&d.payload.len()));
    full + usize::from(tail && full < most)
}
