//! Ours on mio: one stream for all requests.

use crate::common::ours::configs;
use crate::common::{our_options, our_transport, pair};
use crate::{SIZE, SPIN, Stopwatch};
use jsp_driver_mio::{
    AppCode, ClientConfig, ConnectionHandle, ConnectionMut, Dir, Driver, Endpoint, Event, StreamId,
};
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub(crate) fn sleeping(echoes: usize) -> Vec<Duration> {
    round(echoes, Duration::ZERO)
}

pub(crate) fn spinning(echoes: usize) -> Vec<Duration> {
    round(echoes, SPIN)
}

fn round(echoes: usize, spin: Duration) -> Vec<Duration> {
    pair(move |tell| serve(&tell, spin), |door| ask(door, spin, echoes))
}

fn driver(spin: Duration) -> Driver {
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), our_options());
    Driver::new(endpoint.unwrap()).unwrap().with_spin(spin)
}

fn serve(tell: &Sender<(SocketAddr, ClientConfig)>, spin: Duration) {
    let mut driver = driver(spin);
    let (client, server) = configs(our_transport());
    driver.set_server(Some(server));
    tell.send((driver.local_addr(), client)).unwrap();
    let mut request = Message::default();
    while let Some((handle, event)) = next(&mut driver) {
        let mut connection = driver.connection(handle).unwrap();
        match event {
            Event::Opened { dir } => while connection.accept(dir).is_some() {},
            Event::Readable(id) if request.read(&mut connection, id) => {
                assert_eq!(connection.write(id, &request.bytes), Ok(SIZE));
            }
            Event::Closed(_) => return,
            _ => {}
        }
    }
}

fn ask(
    (address, config): (SocketAddr, ClientConfig),
    spin: Duration,
    echoes: usize,
) -> Vec<Duration> {
    let mut driver = driver(spin);
    driver.connect(&config, address).unwrap();
    let mut watch = Stopwatch::new(echoes);
    let mut answer = Message::default();
    while let Some((handle, event)) = next(&mut driver) {
        let mut connection = driver.connection(handle).unwrap();
        let id = match event {
            Event::Connected => connection.open(Dir::Bi).unwrap(),
            Event::Readable(id) if answer.read(&mut connection, id) => {
                watch.ends();
                id
            }
            _ => continue,
        };
        if watch.begins() {
            assert_eq!(connection.write(id, &[1; SIZE]), Ok(SIZE));
        } else {
            connection.close(AppCode(0), b"");
        }
    }
    watch.times
}

/// The next event; `None` once the connections are gone.
fn next(driver: &mut Driver) -> Option<(ConnectionHandle, Event)> {
    loop {
        if let Some(next) = driver.poll_event() {
            return Some(next);
        }
        let began = driver.connections() > 0;
        driver.turn(None).unwrap();
        if began && driver.connections() == 0 {
            return driver.poll_event();
        }
    }
}

/// What has come of one.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Reads what is there; whether that was the end of it.
    fn read(&mut self, connection: &mut ConnectionMut<'_>, id: StreamId) -> bool {
        if self.bytes.len() == SIZE {
            self.bytes.clear();
        }
        let bytes = &mut self.bytes;
        while let Ok(read) = connection.with_chunk(id, |chunk| {
            bytes.extend_from_slice(chunk);
            chunk.len()
        }) {
            assert!(read > 0);
        }
        self.bytes.len() == SIZE
    }
}
