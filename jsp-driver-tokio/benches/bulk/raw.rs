//! The ceiling: datagrams without a protocol, with the packets' cipher or without it, from one copy of
//! the application's buffer to the receiver's opened bytes. A credit keeps the sender from overrunning
//! the receiver, so that nothing is lost and nothing has to be sent again: small datagrams say
//! how much has arrived.

use crate::Datagrams;
use crate::common::raw::{LONGEST, Raw, Wait, packet_key};
use crate::common::{CHUNK, Round, start};
use jsp_driver_tokio::jsp_proto::crypto::{NONCE_LEN, PacketKey, TAG_LEN};
use std::net::SocketAddr;

/// Payload that may be on its way.
const WINDOW: u64 = 1 << 20;
/// The receiver tells what has arrived this often.
const STEP: u64 = WINDOW / 4;

/// How datagrams are used.
#[derive(Clone, Copy)]
pub(crate) struct Ceiling {
    pub(crate) cipher: bool,
    pub(crate) wait: Wait,
}

impl Ceiling {
    pub(crate) fn round(self, datagrams: Datagrams, bytes: usize) -> Round {
        let total = bytes as u64;
        let [mut sender, mut receiver] = [(); 2].map(|()| Raw::new(self.wait));
        let (from, to) = (sender.address(), receiver.address());
        let shape = Shape::new(datagrams, self.cipher);
        let receiving = std::thread::spawn(move || receive(&mut receiver, from, shape, total));
        let clock = start();
        send(&mut sender, to, shape, total);
        let round = clock.round();
        receiving.join().unwrap();
        round
    }
}

/// How the bytes are cut.
#[derive(Clone, Copy)]
struct Shape {
    segment: usize,
    segments: usize,
    cipher: bool,
}

impl Shape {
    fn new(datagrams: Datagrams, cipher: bool) -> Self {
        let segment = datagrams.largest();
        Self { segment, segments: LONGEST / segment, cipher }
    }

    fn key(self) -> Option<Box<dyn PacketKey>> {
        self.cipher.then(packet_key)
    }

    fn payload(self) -> usize {
        self.segment - if self.cipher { TAG_LEN } else { 0 }
    }
}

fn nonce(number: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce
}

fn send(socket: &mut Raw, to: SocketAddr, shape: Shape, total: u64) {
    let key = shape.key();
    let application = vec![0x5a; CHUNK];
    let mut train = vec![0; shape.segment * shape.segments];
    let (mut number, mut sent, mut arrived) = (0, 0, 0);
    while arrived < total {
        while arrived < total && (sent == total || sent - arrived >= WINDOW) {
            let (word, _) = socket.receive();
            arrived = u64::from_be_bytes(word.try_into().unwrap());
        }
        let mut len = 0;
        for segment in train.chunks_exact_mut(shape.segment) {
            let from = sent as usize % CHUNK;
            let left = (total - sent) as usize;
            let size = shape.payload().min(CHUNK - from).min(left);
            if size == 0 {
                break;
            }
            let (payload, rest) = segment.split_at_mut(size);
            payload.copy_from_slice(&application[from..from + size]);
            len += size;
            if let Some(key) = &key {
                rest[..TAG_LEN].copy_from_slice(&key.seal(&nonce(number), &[], payload));
                len += TAG_LEN;
            }
            number += 1;
            sent += size as u64;
            // A short one ends its train.
            if size < shape.payload() {
                break;
            }
        }
        if len > 0 {
            socket.send(to, shape.segment, &train[..len]);
        }
    }
}

fn receive(socket: &mut Raw, from: SocketAddr, shape: Shape, total: u64) {
    let key = shape.key();
    let (mut number, mut arrived, mut told) = (0, 0, 0);
    while arrived < total {
        let (train, meta) = socket.receive();
        for datagram in train.chunks_mut(meta.stride) {
            let payload = key
                .as_ref()
                .map_or(datagram.len(), |key| key.open(&nonce(number), &[], datagram).unwrap());
            number += 1;
            arrived += payload as u64;
        }
        if arrived - told >= STEP || arrived == total {
            told = arrived;
            socket.send(from, 8, &arrived.to_be_bytes());
        }
    }
}
