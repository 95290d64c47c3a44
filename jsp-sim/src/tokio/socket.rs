//! A socket of a simulated host.

use super::hub::{Hub, State};
use crate::datagram::{Datagram, NodeId};
use jsp_driver_tokio::{Batch, DatagramSocket, Received, SendOutcome, Transmit};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A UDP socket of a host on a [`SimNet`](super::SimNet). Its address is free again when it is
/// dropped.
pub struct SimSocket {
    hub: Arc<Hub>,
    node: NodeId,
    local: SocketAddr,
}

impl SimSocket {
    pub(super) fn bind(hub: &Arc<Hub>, node: NodeId, address: SocketAddr) -> io::Result<Self> {
        let local = hub.look(|state| {
            if !address.ip().is_unspecified() && !state.has(node, address.ip()) {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            state.ports.open(node, address)
        })?;
        Ok(Self { hub: Arc::clone(hub), node, local })
    }

    /// The host that this is a socket of.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

impl State {
    /// The first host that has an address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<NodeId> {
        self.network.nodes().find(|node| self.has(*node, address))
    }

    /// The addresses that a host has now.
    fn addresses(&self, node: NodeId) -> impl Iterator<Item = IpAddr> {
        self.network.interfaces(node).filter_map(|interface| self.network.address(interface))
    }

    fn has(&self, node: NodeId, address: IpAddr) -> bool {
        self.addresses(node).any(|own| own == address)
    }

    /// The address from which a host sends `transmit`, where its socket leaves the choice.
    fn source(&self, node: NodeId, transmit: &Transmit) -> Option<IpAddr> {
        let wanted = transmit.local.filter(|local| self.has(node, *local));
        let same = |own: &IpAddr| own.is_ipv4() == transmit.remote.is_ipv4();
        wanted.or_else(|| self.addresses(node).find(same))
    }
}

impl DatagramSocket for SimSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn reaches(&self, remote: SocketAddr) -> bool {
        self.local.is_ipv4() == remote.is_ipv4()
            || (self.local.is_ipv6() && self.local.ip().is_unspecified())
    }

    /// As many as a kernel takes. They enter the network at one moment, one after the other.
    fn max_segments(&self) -> usize {
        64
    }

    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        self.hub.act(|state, now| {
            let bound = Some(self.local.ip()).filter(|ip| !ip.is_unspecified());
            let Some(from) = bound.or_else(|| state.source(self.node, transmit)) else { return };
            let State { network, trace, .. } = state;
            for payload in bytes.chunks(transmit.segment.max(1)) {
                let datagram = Datagram {
                    from: SocketAddr::new(from, self.local.port()),
                    to: transmit.remote,
                    ecn: transmit.ecn,
                    payload: payload.to_vec(),
                };
                network.send(now, self.node, datagram, trace);
            }
        });
        SendOutcome::Gone
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        self.hub.look(|state| {
            let port = state.ports.get(self.node, self.local).ok_or(io::ErrorKind::NotConnected)?;
            if port.peek().is_none() {
                port.wait(cx.waker());
                return Poll::Pending;
            }
            while !batch.is_full() {
                let Some(Datagram { from, to, ecn, payload }) = port.take() else { break };
                let received = Received { remote: from, local: Some(to.ip()), ecn };
                // One that is longer than any real one is lost.
                batch.push(received, &payload, payload.len());
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSocket")
            .field("node", &self.node)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.hub.look(|state| state.ports.close(self.node, self.local));
    }
}
