//! An echo server and its client, each in a loop of its own.
//!
//! ```text
//! cargo run -p jsp-driver-mio --example echo -- serve 0.0.0.0:4433
//! cargo run -p jsp-driver-mio --example echo -- ask 192.0.2.1:4433 FINGERPRINT "hello"
//! ```

use jsp_driver_mio::{
    AppCode, ClientConfig, CloseReason, ConnectionHandle, ConnectionMut, Dir, Driver, Endpoint,
    Event, Identity, ReadError, ServerConfig, StreamId, WriteError, default_provider,
};
use std::collections::BTreeMap;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => serve(Endpoint::bind(address.parse()?, <_>::default())?),
        ["ask", address, fingerprint, text] => {
            let config = ClientConfig::pinned(fingerprint.parse()?).with_alpn(["echo"])?;
            let mut driver = Driver::new(Endpoint::client()?)?;
            driver.connect(&config, address.parse()?)?;
            println!("{}", ask(&mut driver, text)?);
            Ok(())
        }
        _ => Err("serve ADDRESS, or ask ADDRESS FINGERPRINT TEXT".into()),
    }
}

/// Sends back what comes on each stream, for ever.
fn serve(mut endpoint: Endpoint) -> Result<(), Box<dyn Error>> {
    let identity = Identity::generate(&*default_provider())?;
    endpoint.set_server(Some(ServerConfig::with_identity(&identity).with_alpn(["echo"])?));
    println!("echoing on {} as {}", endpoint.local_addr(), identity.fingerprint());
    let mut driver = Driver::new(endpoint)?;
    // What was read, and not written back yet.
    let mut echoes: BTreeMap<(ConnectionHandle, StreamId), Echo> = BTreeMap::new();
    loop {
        driver.turn(None)?;
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Opened { dir: Dir::Bi } => while connection.accept(Dir::Bi).is_some() {},
                Event::Readable(id) | Event::Writable(id) => {
                    let echo = echoes.entry((handle, id)).or_default();
                    if echo.go_on(&mut connection, id) {
                        echoes.remove(&(handle, id));
                    }
                }
                Event::Closed(reason) => {
                    println!("{}: {reason}", connection.remote_address());
                    echoes.retain(|(whose, _), _| *whose != handle);
                }
                _ => {}
            }
        }
    }
}

/// At most this much waits to be written back: a client that does not read is not read from either.
const BACKLOG: usize = 1 << 16;

/// One stream of a client.
#[derive(Default)]
struct Echo {
    backlog: Vec<u8>,
}

impl Echo {
    /// Reads and writes what can be; `true` once the stream is over.
    fn go_on(&mut self, connection: &mut ConnectionMut<'_>, id: StreamId) -> bool {
        loop {
            while !self.backlog.is_empty() {
                match connection.write(id, &self.backlog) {
                    Ok(taken) => drop(self.backlog.drain(..taken)),
                    Err(WriteError::Blocked) => return false,
                    Err(_) => return true,
                }
            }
            let read = connection.with_chunk(id, |chunk| {
                let taken = chunk.len().min(BACKLOG);
                self.backlog.extend_from_slice(&chunk[..taken]);
                taken
            });
            match read {
                Ok(_) => {}
                Err(ReadError::Blocked) => return false,
                Err(ReadError::Finished) => return connection.finish(id).is_ok(),
                Err(_) => return true,
            }
        }
    }
}

/// Sends `text` on a stream of its own, and returns the answer.
fn ask(driver: &mut Driver, text: &str) -> Result<String, Box<dyn Error>> {
    let mut answer = Vec::new();
    // Until the server knows that this is over.
    while driver.connections() > 0 {
        driver.turn(None)?;
        while let Some((handle, event)) = driver.poll_event() {
            let Some(mut connection) = driver.connection(handle) else { continue };
            match event {
                Event::Connected => {
                    let id = connection.open(Dir::Bi).ok_or("the server allows no stream")?;
                    if connection.write(id, text.as_bytes())? < text.len() {
                        return Err("that is too long for an example".into());
                    }
                    connection.finish(id)?;
                }
                Event::Readable(id) => loop {
                    let take = |chunk: &[u8]| {
                        answer.extend_from_slice(chunk);
                        chunk.len()
                    };
                    match connection.with_chunk(id, take) {
                        Ok(_) => {}
                        Err(ReadError::Blocked) => break,
                        Err(ReadError::Finished) => {
                            connection.close(AppCode(0), b"thank you");
                            break;
                        }
                        Err(error) => return Err(error.into()),
                    }
                },
                Event::Closed(CloseReason::Local { .. }) => {}
                Event::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
    }
    Ok(String::from_utf8(answer)?)
}
