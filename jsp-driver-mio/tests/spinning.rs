//! A loop that spins for next to nothing: every answer comes when it has stopped looking, or just then.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{endpoint, identity, loopback};
use jsp_driver_mio::{
    AppCode, ClientConfig, ConnectionHandle, Dir, Driver, Endpoint, Event, ServerConfig,
};
use std::time::Duration;

const ECHOES: usize = 500;
/// Far more than an answer takes.
const LONG: Duration = Duration::from_secs(60);

fn spinning(endpoint: Endpoint) -> Driver {
    Driver::new(endpoint).unwrap().with_spin(Duration::from_nanos(1))
}

/// The next event. It fails if a wait ends with nothing: there is always something on its way.
fn next(driver: &mut Driver) -> (ConnectionHandle, Event) {
    let mut idle = 0;
    loop {
        if let Some(next) = driver.poll_event() {
            return next;
        }
        // Acknowledgements and timers are no events, and a look for more finds nothing.
        idle = if driver.turn(Some(LONG)).unwrap() { 0 } else { idle + 1 };
        assert!(idle < 3, "nobody was woken");
    }
}

fn serve(mut driver: Driver) {
    loop {
        let (handle, event) = next(&mut driver);
        let mut connection = driver.connection(handle).unwrap();
        match event {
            Event::Opened { dir } => while connection.accept(dir).is_some() {},
            Event::Readable(id) => {
                let mut byte = [0];
                while connection.read(id, &mut byte).is_ok() {
                    connection.write(id, &byte).unwrap();
                }
            }
            Event::Closed(_) => return,
            _ => {}
        }
    }
}

#[test]
fn a_loop_that_has_stopped_looking_is_woken() {
    let identity = identity();
    let server = Endpoint::server(loopback(), ServerConfig::with_identity(&identity)).unwrap();
    let address = server.local_addr();
    let serving = std::thread::spawn(move || serve(spinning(server)));
    let mut driver = spinning(endpoint());
    driver.connect(&ClientConfig::pinned(identity.fingerprint()), address).unwrap();
    let mut answers = 0;
    loop {
        let (handle, event) = next(&mut driver);
        let mut connection = driver.connection(handle).unwrap();
        let id = match event {
            Event::Connected => connection.open(Dir::Bi).unwrap(),
            Event::Readable(id) => {
                assert_eq!(connection.read(id, &mut [0]), Ok(1));
                answers += 1;
                id
            }
            Event::Closed(_) => break,
            _ => continue,
        };
        if answers == ECHOES {
            connection.close(AppCode(0), b"");
        } else {
            connection.write(id, &[1]).unwrap();
        }
    }
    driver.flush();
    serving.join().unwrap();
}
