//! With the driver for mio.

use super::{Until, Upload};
use crate::common::{CHUNK, our_options, start};
use bytes::Bytes;
use jsp_driver_mio::{
    AppCode, ClientConfig, ConnectionMut, Dir, Driver, Endpoint, Event, ReadError, ServerConfig,
    StreamId, WriteError,
};
use std::collections::HashMap;
use std::net::SocketAddr;

fn driver() -> Driver {
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), our_options());
    Driver::new(endpoint.unwrap()).unwrap()
}

pub(super) fn serve(config: ServerConfig, tell: &dyn Fn(SocketAddr), until: Until) {
    let mut driver = driver();
    driver.set_server(Some(config));
    tell(driver.local_addr());
    let mut totals = HashMap::new();
    loop {
        driver.turn(None).unwrap();
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Opened { dir } => while connection.accept(dir).is_some() {},
                Event::Readable(id) => {
                    let total = totals.entry((handle, id)).or_insert(0u64);
                    if read(&mut connection, id, |chunk| *total += chunk.len() as u64) {
                        connection.write(id, &total.to_be_bytes()).unwrap();
                        connection.finish(id).unwrap();
                        totals.remove(&(handle, id));
                    }
                }
                Event::Closed(_) if until == Until::Closed => return,
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

pub(super) fn upload(config: &ClientConfig, address: SocketAddr, bytes: usize) -> Upload {
    let mut driver = driver();
    driver.connect(config, address).unwrap();
    let mut source = Source { chunk: vec![0x5a; CHUNK].into(), left: bytes, rest: Bytes::new() };
    let mut answer = Vec::new();
    let mut clock = start();
    let mut upload = None;
    while driver.connections() > 0 {
        driver.turn(None).unwrap();
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Connected => {
                    let id = connection.open(Dir::Bi).unwrap();
                    clock = start();
                    source.write(&mut connection, id);
                }
                Event::Writable(id) => source.write(&mut connection, id),
                Event::Readable(id) => {
                    let take = |chunk: &[u8]| answer.extend_from_slice(chunk);
                    if read(&mut connection, id, take) {
                        let mtu = connection.stats().path.mtu;
                        upload = Some(Upload { round: clock.round(), mtu });
                        connection.close(AppCode(0), b"");
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    upload.unwrap()
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
