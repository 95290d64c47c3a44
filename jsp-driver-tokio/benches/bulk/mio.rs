//! Ours, with the driver for mio.

use crate::common::{CHUNK, our_options, pair, process_cpu};
use crate::{Datagrams, Door, Round, measured, ours};
use bytes::Bytes;
use jsp_driver_mio::{
    AppCode, ClientConfig, ConnectionMut, Dir, Driver, Endpoint, Event, ReadError, StreamId,
    WriteError,
};
use std::sync::mpsc::Sender;
use std::time::Instant;

pub(crate) fn round(datagrams: Datagrams, bytes: usize) -> Round {
    pair(move |tell| server(datagrams, &tell), |door| client(datagrams, door, bytes))
}

fn driver() -> Driver {
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), our_options());
    Driver::new(endpoint.unwrap()).unwrap()
}

fn server(datagrams: Datagrams, tell: &Sender<Door<ClientConfig>>) {
    let (client, server) = ours::configs(datagrams);
    let mut driver = driver();
    driver.set_server(Some(server));
    tell.send((driver.local_addr(), client)).unwrap();
    let mut total = 0u64;
    loop {
        driver.turn(None).unwrap();
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Opened { dir } => while connection.accept(dir).is_some() {},
                Event::Readable(id) => {
                    if read(&mut connection, id, |chunk| total += chunk.len() as u64) {
                        connection.write(id, &total.to_be_bytes()).unwrap();
                        connection.finish(id).unwrap();
                    }
                }
                Event::Closed(_) => return,
                _ => {}
            }
        }
    }
}

/// Reads what is there; whether that was the end.
fn read(connection: &mut ConnectionMut<'_>, id: StreamId, mut take: impl FnMut(&[u8])) -> bool {
    loop {
        let chunk = connection.with_chunk(id, |chunk| {
            take(chunk);
            chunk.len()
        });
        match chunk {
            Ok(_) => {}
            Err(ReadError::Blocked) => return false,
            Err(ReadError::Finished) => return true,
            Err(error) => panic!("{error}"),
        }
    }
}

fn client(datagrams: Datagrams, (address, config): Door<ClientConfig>, bytes: usize) -> Round {
    let mut driver = driver();
    driver.connect(&config, address).unwrap();
    let mut source = Source { chunk: vec![0x5a; CHUNK].into(), left: bytes, rest: Bytes::new() };
    let mut answer = Vec::new();
    let (mut start, mut cpu) = (Instant::now(), process_cpu());
    let mut round = None;
    while driver.connections() > 0 {
        driver.turn(None).unwrap();
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Connected => {
                    let id = connection.open(Dir::Bi).unwrap();
                    (start, cpu) = (Instant::now(), process_cpu());
                    source.write(&mut connection, id);
                }
                Event::Writable(id) => source.write(&mut connection, id),
                Event::Readable(id) => {
                    if read(&mut connection, id, |chunk| answer.extend_from_slice(chunk)) {
                        round = Some(measured(start, cpu));
                        assert_eq!(usize::from(connection.stats().path.mtu), datagrams.largest());
                        connection.close(AppCode(0), b"");
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    round.unwrap()
}

/// What is still to be written.
struct Source {
    chunk: Bytes,
    left: usize,
    /// Of the chunk that was begun.
    rest: Bytes,
}

impl Source {
    /// Writes as much as is taken now.
    fn write(&mut self, connection: &mut ConnectionMut<'_>, id: StreamId) {
        loop {
            if self.rest.is_empty() {
                if self.left == 0 {
                    return connection.finish(id).unwrap();
                }
                self.rest = self.chunk.clone();
                self.left -= CHUNK;
            }
            match connection.write_bytes(id, &mut self.rest) {
                Ok(_) => {}
                Err(WriteError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
