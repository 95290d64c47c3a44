//! UDP without a protocol: the kernel's offloads, and the packets' cipher if wanted. What remains when
//! everything that a transport promises is taken away, which makes it the ceiling of all that run over UDP.

use jsp_driver_tokio::default_provider;
use jsp_driver_tokio::jsp_proto::crypto::{KEY_LEN, PacketKey, Suite};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};

/// The longest datagram, and so the longest train of segments.
pub const LONGEST: usize = 65_507;

/// The cipher of packets, through the provider that ours uses.
pub fn packet_key() -> Box<dyn PacketKey> {
    default_provider().packet_key(Suite::Aes256Gcm, &[7; KEY_LEN])
}

/// How a thread waits for a datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// In the kernel.
    Sleep,
    /// Asking again and again.
    Spin,
}

/// A socket on loopback.
pub struct Raw {
    socket: UdpSocket,
    state: UdpSocketState,
    wait: Wait,
    buffer: Vec<u8>,
}

impl Raw {
    pub fn new(wait: Wait) -> Self {
        let socket = super::udp_socket();
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).unwrap();
        socket.set_nonblocking(wait == Wait::Spin).unwrap();
        Self { socket, state, wait, buffer: vec![0; 1 << 16] }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Sends datagrams of `segment` bytes, the last may be shorter.
    pub fn send(&self, to: SocketAddr, segment: usize, contents: &[u8]) {
        let segment_size = (segment < contents.len()).then_some(segment);
        let transmit =
            Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
        while let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }

    /// Waits for datagrams of one sender: their bytes, and how long each is.
    pub fn receive(&mut self) -> (&mut [u8], RecvMeta) {
        loop {
            if let Some(meta) = self.try_receive() {
                return (&mut self.buffer[..meta.len], meta);
            }
            std::hint::spin_loop();
        }
    }

    fn try_receive(&mut self) -> Option<RecvMeta> {
        let mut meta = [RecvMeta::default()];
        let mut buffers = [IoSliceMut::new(&mut self.buffer)];
        match self.state.recv(UdpSockRef::from(&self.socket), &mut buffers, &mut meta) {
            Ok(_) => Some(meta[0]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}
