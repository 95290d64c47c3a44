//! TLS over TCP: two threads that block, which is faster than tasks that wait, with few and large
//! system calls.

use crate::common::{CHUNK, Round, start, tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Read from TCP at once, and written to it.
const PART: usize = 256 << 10;

pub(crate) fn round(bytes: usize) -> Round {
    let (client, server) = tls::configs(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiving = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let tls = ServerConnection::new(Arc::new(server)).unwrap();
        receive(tls, tcp, bytes as u64);
    });
    let tcp = TcpStream::connect(address).unwrap();
    let name = ServerName::try_from(tls::NAME).unwrap();
    let tls = ClientConnection::new(Arc::new(client), name).unwrap();
    let round = send(tls, tcp, bytes);
    receiving.join().unwrap();
    round
}

fn send(mut tls: ClientConnection, mut tcp: TcpStream, bytes: usize) -> Round {
    tcp.set_nodelay(true).unwrap();
    tls.complete_io(&mut tcp).unwrap();
    tls.set_buffer_limit(None);
    let application = vec![0x5a; CHUNK];
    let clock = start();
    for _ in 0..bytes / CHUNK {
        for part in application.chunks(PART) {
            tls.writer().write_all(part).unwrap();
            while tls.wants_write() {
                tls.write_tls(&mut tcp).unwrap();
            }
        }
    }
    let mut answer = [0; 8];
    rustls::Stream::new(&mut tls, &mut tcp).read_exact(&mut answer).unwrap();
    let round = clock.round();
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    round
}

fn receive(mut tls: ServerConnection, mut tcp: TcpStream, total: u64) {
    tcp.set_nodelay(true).unwrap();
    tls.complete_io(&mut tcp).unwrap();
    let mut arrived = 0;
    // rustls alone would read 4 KiB at once.
    let mut reader = BufReader::with_capacity(PART, tcp.try_clone().unwrap());
    while arrived < total {
        tls.read_tls(&mut reader).unwrap();
        tls.process_new_packets().unwrap();
        loop {
            let mut plaintext = tls.reader();
            let len = match plaintext.fill_buf() {
                Ok(chunk) => chunk.len(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            };
            arrived += len as u64;
            plaintext.consume(len);
        }
    }
    rustls::Stream::new(&mut tls, &mut tcp).write_all(&arrived.to_be_bytes()).unwrap();
}
