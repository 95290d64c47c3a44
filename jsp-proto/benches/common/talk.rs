//! Two ends of a connection that exchange single datagrams in one thread, without sockets: one loop,
//! whatever the engine. It asks of an end what a driver asks of it between two polls of its socket.

use jsp_proto::ids::Side;

/// Both ends and the datagram that is between them.
pub(crate) trait Talk {
    /// A moment passes; whose timer is due hears of it.
    fn tick(&mut self);
    /// Time passes to the next timer of either end, which expires.
    fn wait(&mut self);
    /// An end's application writes.
    fn write(&mut self, end: Side, data: &[u8]);
    /// An end is asked for a datagram; false if it has none.
    fn send(&mut self, end: Side) -> bool;
    /// An end is asked when it wants to be woken.
    fn next_timeout(&mut self, end: Side);
    /// An end's router finds out for whom the datagram is.
    fn route(&mut self, end: Side);
    /// Its connection takes the datagram.
    fn take(&mut self, end: Side);
    /// An end's application takes its events and reads what there is; returns how many bytes.
    fn read(&mut self, end: Side) -> usize;
}

/// The steps as functions with a frame of their own, so that a profile can tell them apart.
mod stage {
    use super::{Side, Talk};

    macro_rules! stages {
        ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
            $(
                #[inline(never)]
                pub(super) fn $name<T: Talk>(talk: &mut T $(, $arg: $type)*) -> $result {
                    talk.$name($($arg),*)
                }
            )*
        };
    }

    stages! {
        wait() -> ();
        write(end: Side, data: &[u8]) -> ();
        send(end: Side) -> bool;
        next_timeout(end: Side) -> ();
        route(end: Side) -> ();
        take(end: Side) -> ();
        read(end: Side) -> usize;
    }
}

/// The steps in the order of a table's columns: its heading, and what a profile calls it.
pub(crate) const STAGES: [(&str, &str); 7] = [
    ("wait", "stage::wait"),
    ("route", "stage::route"),
    ("in", "stage::take"),
    ("read", "stage::read"),
    ("write", "stage::write"),
    ("out", "stage::send"),
    ("timeout", "stage::next_timeout"),
];

/// An end sends what it has; the other takes it. Returns how many datagrams, and bytes read, that was.
fn send<T: Talk>(talk: &mut T, end: Side) -> (u64, usize) {
    let (mut datagrams, mut read) = (0, 0);
    while stage::send(talk, end) {
        datagrams += 1;
        stage::route(talk, end.peer());
        stage::take(talk, end.peer());
        read += stage::read(talk, end.peer());
    }
    stage::next_timeout(talk, end);
    (datagrams, read)
}

/// Sends `data`, which fits into a datagram, to the server and back, so many times; returns how many.
pub(crate) fn echo<T: Talk>(talk: &mut T, data: &[u8], times: u64) -> u64 {
    for _ in 0..times {
        for end in [Side::Client, Side::Server] {
            talk.tick();
            stage::write(talk, end, data);
            let (_, read) = send(talk, end);
            assert_eq!(read, data.len(), "a message arrives as it was written");
        }
    }
    times
}

/// Both ends are silent but for so many signs of life of the client, and what answers them; returns how
/// many.
pub(crate) fn keep_alive<T: Talk>(talk: &mut T, times: u64) -> u64 {
    let mut sent = 0;
    while sent < times {
        stage::wait(talk);
        sent += send(talk, Side::Client).0;
        send(talk, Side::Server);
    }
    sent
}
