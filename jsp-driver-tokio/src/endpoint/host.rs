//! Names with several addresses, and whichever answers first (Happy Eyeballs, RFC 8305).

use crate::connection::{Connecting, Connection};
use crate::error::{ConnectError, ConnectHostError};
use jsp_proto::error::CloseReason;
use std::collections::VecDeque;
use std::future::{Future, IntoFuture as _, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Between two attempts, if the first has not failed before (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Where to connect to, by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostPort<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
}

/// All addresses of a host, as the system's resolver orders them. An IPv6 address may be in brackets.
pub(super) async fn resolve(at: HostPort<'_>) -> Result<Vec<SocketAddr>, ConnectHostError> {
    let bare = at.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let found = tokio::net::lookup_host((bare.unwrap_or(at.host), at.port)).await;
    Ok(found.map_err(ConnectHostError::Resolve)?.collect())
}

/// Families in turn, beginning with the first address's: one broken family costs one stagger.
pub(super) fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut queues: [VecDeque<SocketAddr>; 2] = Default::default();
    let mut first = None;
    for address in addresses {
        let first_family = *first.get_or_insert(address.is_ipv6());
        queues[usize::from(address.is_ipv6() != first_family)].push_back(address);
    }
    let [mut first, mut other] = queues;
    let mut order = VecDeque::new();
    while !first.is_empty() || !other.is_empty() {
        order.extend(first.pop_front());
        order.extend(other.pop_front());
    }
    order
}

type Attempt = Pin<Box<dyn Future<Output = Result<Connection, CloseReason>> + Send>>;

/// Begins an attempt after the other, until one succeeds or all have failed.
pub(super) async fn race(
    mut addresses: VecDeque<SocketAddr>,
    connect: impl Fn(SocketAddr) -> Result<Connecting, ConnectError>,
) -> Result<Connection, ConnectHostError> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut error = ConnectHostError::NoAddress;
    let mut stagger = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let mut failed = false;
            let mut at = 0;
            while let Some(attempt) = attempts.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(connection)) => return Poll::Ready(Ok(connection)),
                    Poll::Ready(Err(reason)) => {
                        tracing::debug!(%reason, "an address failed");
                        error = ConnectHostError::Closed(reason);
                        drop(attempts.swap_remove(at));
                        failed = true;
                    }
                    Poll::Pending => at += 1,
                }
            }
            let due = failed || attempts.is_empty() || stagger.as_mut().poll(cx).is_ready();
            if addresses.is_empty() && attempts.is_empty() {
                let last = std::mem::replace(&mut error, ConnectHostError::NoAddress);
                return Poll::Ready(Err(last));
            }
            let Some(address) = due.then(|| addresses.pop_front()).flatten() else {
                return Poll::Pending;
            };
            match connect(address) {
                Ok(connecting) => attempts.push(connecting.into_future()),
                Err(reason) => error = ConnectHostError::Connect(reason),
            }
            stagger.as_mut().reset(tokio::time::Instant::now() + STAGGER);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_in_the_resolvers_order() {
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let order = alternate(list.iter().map(|a| a.parse().unwrap()));
        let order: Vec<_> = order.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
        assert!(alternate(std::iter::empty()).is_empty());
    }
}
