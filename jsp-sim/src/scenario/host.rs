//! Hosts: where they are attached, and how they are set up.

use super::model::{INTERNET, LinkRef, internet, is_default, is_internet};
use crate::units::{Size, Span};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A host: one endpoint of the engine, which serves whoever connects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Where it is attached. Default: to the internet, with a perfect link.
    #[serde(skip_serializing_if = "is_one_interface")]
    pub interfaces: Vec<Interface>,
    /// Its UDP port. Default: 4433.
    #[serde(skip_serializing_if = "is_usual_port")]
    pub port: u16,
    /// What it does with those who want to connect.
    #[serde(skip_serializing_if = "is_default")]
    pub admission: Admission,
    /// What kind of identity it has.
    #[serde(skip_serializing_if = "is_default")]
    pub identity: Identity,
    /// How long a signature takes.
    #[serde(skip_serializing_if = "is_default")]
    pub sign_delay: Span,
    /// How many segments a call of its system takes (UDP GSO). Default: 64; 1 is without.
    #[serde(skip_serializing_if = "is_usual_segments")]
    pub segments: usize,
    /// The settings of its connections, in either role.
    #[serde(skip_serializing_if = "is_default")]
    pub transport: Transport,
}

impl Host {
    /// The port of hosts that name none.
    pub const PORT: u16 = 4433;
    /// What a system call takes where nothing else is said.
    pub const SEGMENTS: usize = 64;

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            interfaces: one_interface(),
            port: Self::PORT,
            admission: Admission::default(),
            identity: Identity::default(),
            sign_delay: Span::default(),
            segments: Self::SEGMENTS,
            transport: Transport::default(),
        }
    }
}

/// What a host does with those who want to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Admission {
    /// Takes them.
    #[default]
    Accept,
    /// Asks them for proof of their address first.
    Retry,
    /// Tells them to go away.
    Refuse,
    /// Says nothing.
    Ignore,
}

/// What kind of identity a host has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// Ed25519 and ML-DSA-65.
    #[default]
    Hybrid,
    /// Ed25519 alone, as constrained devices have.
    Ed25519,
}

/// Where a host is attached to a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interface {
    /// Its name within the host. Default: `eth0`, `eth1`, by its place.
    pub name: String,
    /// The segment. Default: the internet.
    #[serde(default = "internet", skip_serializing_if = "is_internet")]
    pub segment: String,
    /// The address in the segment. Default: one that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What lies between the host and the segment.
    #[serde(skip_serializing_if = "is_default")]
    pub up: LinkRef,
    /// What lies between the segment and the host.
    #[serde(skip_serializing_if = "is_default")]
    pub down: LinkRef,
    /// Whether it is there from the start; if not, an operation makes it appear.
    #[serde(skip_serializing_if = "is_true")]
    pub present: bool,
}

impl Default for Interface {
    fn default() -> Self {
        Self {
            name: String::new(),
            segment: INTERNET.into(),
            address: None,
            up: LinkRef::default(),
            down: LinkRef::default(),
            present: true,
        }
    }
}

/// The transport's settings, where they are not the engine's defaults
/// ([`TransportConfig`](jsp_proto::connection::TransportConfig) says what they are).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// How long silence is borne; `0s` is for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// How long a handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_timeout: Option<Span>,
    /// After how much silence a sign of life is sent; `0s` is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Span>,
    /// The longest that an acknowledgement is held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_delay: Option<Span>,
    /// The round-trip time that is assumed at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_rtt: Option<Span>,
    /// The size of datagrams that every path is trusted to carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu_min: Option<Size>,
    /// The size of datagrams that is tried at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu_max: Option<Size>,
    /// Whether packets are marked ECN-capable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecn: Option<bool>,
    /// Streams of each kind that the peer may have open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_streams: Option<u64>,
    /// The receive window that a stream starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_window: Option<Size>,
    /// What a stream's receive window may grow to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_window_max: Option<Size>,
    /// The receive window that all streams start with together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_window: Option<Size>,
    /// What the receive window of all streams together may grow to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_window_max: Option<Size>,
    /// Data that is kept for sending, what awaits acknowledgement included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_buffer: Option<Size>,
    /// Data that is kept before it is first sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_backlog: Option<Size>,
}

fn one_interface() -> Vec<Interface> {
    vec![Interface { name: "eth0".into(), ..Interface::default() }]
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_one_interface(interfaces: &Vec<Interface>) -> bool {
    *interfaces == one_interface()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
const fn is_usual_port(port: &u16) -> bool {
    *port == Host::PORT
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
const fn is_usual_segments(segments: &usize) -> bool {
    *segments == Host::SEGMENTS
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
const fn is_true(it: &bool) -> bool {
    *it
}
