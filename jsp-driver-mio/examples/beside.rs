//! JetStreamProto beside another protocol, in one poll and one thread: a gateway that takes lines over
//! TCP, has a JSP server turn each around, and sends the answer back.
//!
//! ```text
//!   client ── TCP ──▶ gateway ── JSP ──▶ server        one loop for the listener, the TCP
//!          ◀── line ─         ◀─ stream ─              connections and both endpoints
//! ```
//!
//! It brings its own client, who sends three lines and checks the answers, and ends.
//!
//! ```text
//! cargo run -p jsp-driver-mio --example beside
//! ```

use jsp_driver_mio::{
    ClientConfig, ConnectionHandle, Dir, Endpoint, Event, Identity, ReadError, ServerConfig,
    StreamId, default_provider,
};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);
const LISTENER: Token = Token(2);
/// The TCP connections' tokens follow.
const FIRST: usize = 3;
/// The longest line, so that nobody makes memory grow.
const LINE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let mut gateway = Gateway::new()?;
    let address = gateway.listener.local_addr()?;
    let someone = std::thread::spawn(move || someone(address));
    while !someone.is_finished() {
        gateway.turn()?;
    }
    someone.join().map_err(|_| "the client panicked")??;
    Ok(())
}

/// Who uses the gateway: it knows nothing of JSP.
fn someone(gateway: SocketAddr) -> io::Result<()> {
    let mut stream = BufReader::new(std::net::TcpStream::connect(gateway)?);
    for line in ["hello", "desserts", "live on time"] {
        writeln!(stream.get_mut(), "{line}")?;
        let mut answer = String::new();
        stream.read_line(&mut answer)?;
        println!("{line} -> {}", answer.trim_end());
        assert_eq!(answer.trim_end(), line.chars().rev().collect::<String>());
    }
    Ok(())
}

/// A TCP connection, with what is half read.
struct Lines {
    stream: TcpStream,
    begun: Vec<u8>,
}

struct Gateway {
    poll: Poll,
    events: Events,
    server: Endpoint,
    client: Endpoint,
    listener: TcpListener,
    /// The gateway's connection to the server, once it is established.
    jsp: Option<ConnectionHandle>,
    lines: BTreeMap<Token, Lines>,
    next: usize,
    /// Whose question each stream carries, and the answer so far.
    asked: BTreeMap<StreamId, (Token, Vec<u8>)>,
}

impl Gateway {
    fn new() -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let identity = Identity::generate(&*default_provider())?;
        let loopback = "127.0.0.1:0".parse()?;
        let mut server = Endpoint::server(loopback, ServerConfig::with_identity(&identity))?;
        let mut client = Endpoint::bind(loopback, <_>::default())?;
        client.connect(&ClientConfig::pinned(identity.fingerprint()), server.local_addr())?;
        let mut listener = TcpListener::bind(loopback)?;
        poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
        poll.registry().register(&mut client, CLIENT, Interest::READABLE)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(64),
            server,
            client,
            listener,
            jsp: None,
            lines: BTreeMap::new(),
            next: FIRST,
            asked: BTreeMap::new(),
        })
    }

    /// One turn for everybody.
    fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        // Whoever has a timer first, or more to do at once.
        let timeouts = [self.server.poll_timeout(), self.client.poll_timeout()];
        // The listener may wait for the handshake, and the loop looks whether its client has gone.
        let tick = std::time::Duration::from_millis(100);
        let timeout = timeouts.into_iter().flatten().chain([tick]).min();
        self.poll.poll(&mut self.events, timeout)?;
        let ready: Vec<Token> = self.events.iter().map(mio::event::Event::token).collect();
        for token in ready {
            match token {
                SERVER | CLIENT => {} // Driven in each turn, as their timers may be due.
                LISTENER => self.welcome()?,
                token => self.read_lines(token)?,
            }
        }
        self.server.drive()?;
        reverse(&mut self.server)?;
        self.server.flush();
        self.client.drive()?;
        self.answer()?;
        self.client.flush();
        Ok(())
    }

    fn welcome(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = Token(self.next);
                    self.next += 1;
                    self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    self.lines.insert(token, Lines { stream, begun: Vec::new() });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes lines from a TCP connection, and asks the server each on a stream of its own.
    fn read_lines(&mut self, token: Token) -> Result<(), Box<dyn Error>> {
        let Some(jsp) = self.jsp.and_then(|handle| self.client.connection(handle)) else {
            return Ok(()); // Read once the handshake is done.
        };
        let mut jsp = jsp;
        let Some(lines) = self.lines.get_mut(&token) else { return Ok(()) };
        let mut buffer = [0; LINE];
        loop {
            match lines.stream.read(&mut buffer) {
                Ok(0) => {
                    self.lines.remove(&token);
                    return Ok(());
                }
                Ok(read) => lines.begun.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            while let Some(end) = lines.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = lines.begun.drain(..=end).collect();
                let id = jsp.open(Dir::Bi).ok_or("too many questions at once")?;
                jsp.write(id, &line[..end])?;
                jsp.finish(id)?;
                self.asked.insert(id, (token, Vec::new()));
            }
            if lines.begun.len() > LINE {
                return Err("a line has no end".into());
            }
        }
        Ok(())
    }

    /// Carries the server's answers to those who asked.
    fn answer(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some((handle, event)) = self.client.poll_event() {
            match event {
                Event::Connected => {
                    self.jsp = Some(handle);
                    // What came meanwhile was not read, and nobody will tell of it again.
                    let waiting: Vec<Token> = self.lines.keys().copied().collect();
                    for token in waiting {
                        self.read_lines(token)?;
                    }
                }
                Event::Readable(id) => {
                    let Some((token, answer)) = self.asked.get_mut(&id) else { continue };
                    let Some(mut jsp) = self.client.connection(handle) else { continue };
                    if read(&mut jsp, id, answer)? {
                        answer.push(b'\n');
                        if let Some(lines) = self.lines.get_mut(token) {
                            lines.stream.write_all(answer)?;
                        }
                        self.asked.remove(&id);
                    }
                }
                Event::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The server: sends each stream back in reverse.
fn reverse(server: &mut Endpoint) -> Result<(), Box<dyn Error>> {
    while let Some((handle, event)) = server.poll_event() {
        let Some(mut connection) = server.connection(handle) else { continue };
        match event {
            Event::Opened { dir } => while connection.accept(dir).is_some() {},
            Event::Readable(id) => {
                let mut text = Vec::new();
                // A line fits into a datagram, so that its end comes with it.
                if read(&mut connection, id, &mut text)? {
                    text.reverse();
                    connection.write(id, &text)?;
                    connection.finish(id)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads what is there; `true` at the stream's end.
fn read(
    connection: &mut jsp_driver_mio::ConnectionMut<'_>,
    id: StreamId,
    into: &mut Vec<u8>,
) -> Result<bool, ReadError> {
    loop {
        let take = |chunk: &[u8]| {
            into.extend_from_slice(chunk);
            chunk.len()
        };
        match connection.with_chunk(id, take) {
            Ok(_) => {}
            Err(ReadError::Blocked) => return Ok(false),
            Err(ReadError::Finished) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}
