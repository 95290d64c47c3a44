//! A transfer between the two ends of a connection in one thread, without sockets: one loop, whatever
//! the engine.

/// Both ends of a connection and what is between them. The client sends, the server reads.
pub(crate) trait Ends {
    /// How many bytes the writer is ahead of the reader at most: it always has something to send.
    fn ahead(&self) -> u64 {
        1 << 20
    }
    /// Time passes: the next turn begins.
    fn tick(&mut self);
    /// The client's application writes; returns how many bytes were taken.
    fn write(&mut self, data: &[u8]) -> usize;
    /// The client sends its next train; returns of how many datagrams, 0 if it has none.
    fn send(&mut self) -> u64;
    /// The server takes the train.
    fn receive(&mut self);
    /// The server sends its next train, of acknowledgements; false if it has none.
    fn acknowledge(&mut self) -> bool;
    /// The client takes the acknowledgements.
    fn acknowledged(&mut self);
    /// The server's application reads what there is; returns how many bytes.
    fn read(&mut self) -> usize;
}

/// The steps of a turn as functions with a frame of their own, so that a profile can tell them apart.
pub(crate) mod stage {
    use super::Ends;

    macro_rules! stages {
        ($($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
            $(
                #[inline(never)]
                pub(super) fn $name<E: Ends>(ends: &mut E $(, $arg: $type)?) -> $result {
                    ends.$name($($arg)?)
                }
            )*
        };
    }

    stages! {
        tick() -> ();
        write(data: &[u8]) -> usize;
        send() -> u64;
        receive() -> ();
        acknowledge() -> bool;
        acknowledged() -> ();
        read() -> usize;
    }
}

/// How many trains cross in a turn, before the reader's turn comes.
const TRAINS: usize = 4;

/// Carries `total` bytes in writes of `data`; returns how many datagrams that took.
pub(crate) fn bulk<E: Ends>(ends: &mut E, data: &[u8], total: u64) -> u64 {
    let (mut written, mut read, mut datagrams) = (0, 0, 0);
    while read < total {
        stage::tick(ends);
        while written < total.min(read + ends.ahead()) {
            let n = data.len().min((total - written) as usize);
            let n = stage::write(ends, &data[..n]);
            if n == 0 {
                break;
            }
            written += n as u64;
        }
        for _ in 0..TRAINS {
            let train = stage::send(ends);
            if train == 0 {
                break;
            }
            datagrams += train;
            stage::receive(ends);
            read += stage::read(ends) as u64;
            while stage::acknowledge(ends) {
                stage::acknowledged(ends);
            }
        }
    }
    datagrams
}
